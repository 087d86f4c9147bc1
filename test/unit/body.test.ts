/** Bodies as they arrive: how they are cut into chunks is up to whoever sends them. */
import { Readable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Request } from "express";
import { expect, test } from "vitest";
import { readJson } from "../../app/http/body.js";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

const limits = { maxBodyBytes: 1024 * 1024, maxJsonDepth: 10, maxJsonValues: 10 };

function bodyOf(chunks: Iterable<Buffer>): Request {
  const headers = { "content-type": "application/json" };
  return Object.assign(Readable.from(chunks, { objectMode: true }), { headers, is: () => true }) as unknown as Request;
}

test("a body is the same in whichever chunks it comes", async () => {
  const value = { text: "wörter ".repeat(20_000) };
  const bytes = Buffer.from(JSON.stringify(value));
  for (const size of [1, 2, 4_095, bytes.length]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    expect(await readJson(bodyOf(chunks), limits)).toEqual(value);
  }
});

test("a body that comes byte by byte takes no more memory than its size", async () => {
  const bytes = Buffer.from(JSON.stringify("x".repeat(500_000)));
  let grown = 0;
  function* oneByOne() {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
    collect();
    grown = process.memoryUsage().heapUsed - before;
  }
  expect(await readJson(bodyOf(oneByOne()), limits)).toHaveLength(500_000);
  expect(grown).toBeLessThan(10_000_000);
});
