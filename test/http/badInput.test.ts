/**
 * What the API withstands: requests that are wrong, odd or too much get a 4xx with one sentence; nothing is stored for
 * them, and nothing that is logged holds what they sent.
 */
import { connect } from "node:net";
import { Writable } from "node:stream";
import pino from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { post, type Started, type StartOptions, startServer } from "./support.js";

const THREAD = "0193a0b0-0000-7000-8000-000000000001";
const RUN = `/threads/${THREAD}/runs/0193a0b0-0000-7000-8000-000000000002`;
const SECRET = "a-secret-that-nobody-may-log";
const JSON_TYPE = { "content-type": "application/json" };

const lines: string[] = [];
const log = pino(new Writable({ write: (line, _encoding, done) => done(lines.push(String(line)) ? null : null) }));

const started: Started[] = [];
async function start(options: StartOptions = {}): Promise<Started> {
  const server = await startServer({ log, ...options });
  started.push(server);
  return server;
}
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.close()));
  expect(lines.join("")).not.toContain(SECRET);
});

let shared: Started;
beforeAll(async () => {
  shared = await startServer({ log });
});
afterEach(() => {
  expect([shared.runs.accepted, [...shared.threads.records]]).toEqual([[], []]);
});
afterAll(() => shared.close());

/** What was refused, and that it was refused in one sentence. */
async function refusal(response: Response): Promise<[number, string]> {
  expect(response.headers.get("content-type")).toMatch(/^application\/json/);
  const body = (await response.json()) as { detail: string };
  expect(Object.keys(body)).toEqual(["detail"]);
  expect(body.detail).toMatch(/^[^\n]+$/);
  return [response.status, body.detail];
}

describe("a body", () => {
  const huge = `{"assistant_id":"echo","input":{"${SECRET}":1e999}}`;
  const deep = (brackets: string) => {
    const [open = "", close = ""] = brackets.split(" ");
    return `{"assistant_id":"echo","input":${open.repeat(100_000)}1${close.repeat(100_000)}}`;
  };

  test.each<[string, string, number, string]>([
    ["nothing", "", 422, "body.assistant_id: is required"],
    ["half an object", `{"assistant_id":"echo","input":"${SECRET}`, 422, "body: invalid JSON"],
    ["two values", "{} {}", 422, "body: invalid JSON"],
    ["not a number", '{"assistant_id":"echo","input":NaN}', 422, "body: invalid JSON"],
    ["null", "null", 422, "body: must be an object"],
    ["a list", "[]", 422, "body: must be an object"],
    ["a text", `"${SECRET}"`, 422, "body: must be an object"],
    ["lists without end", deep("[ ]"), 422, "body: nested more than 200 deep"],
    ["objects without end", deep('{"a": }'), 422, "body: nested more than 200 deep"],
    ["brackets that nothing closes", "[".repeat(1_000_000), 422, "body: nested more than 200 deep"],
    ["too many items", `[${"0,".repeat(1_000_001)}0]`, 422, "body: holds more than 1000000 values"],
    ["a number beyond all bounds", huge, 422, "body.input.a-secret-that-nobody-may-log: is a number beyond"],
    ["a number of many digits", `{"assistant_id":"echo","input":${"9".repeat(400)}}`, 422, "body.input: is a number"],
    [
      "one of fewer digits and an exponent",
      `{"assistant_id":"echo","input":${"9".repeat(250)}e99}`,
      422,
      "is a number",
    ],
    ["a text for a number", '{"assistant_id":"echo","after_seconds":"1"}', 422, "body.after_seconds: must be a number"],
    ["a number for a flag", '{"assistant_id":"echo","stream_subgraphs":1}', 422, "body.stream_subgraphs: must be"],
    ["a list where one is wanted", '{"assistant_id":["echo"]}', 422, "body.assistant_id: must be a string"],
  ])("that is %s is refused", async (_name, body, status, sentence) => {
    const response = await post(`${shared.url}/runs`, body);
    expect(await refusal(response)).toEqual([status, expect.stringContaining(sentence)]);
  });

  test.each<[string, Record<string, string>, number, string]>([
    ["text/plain", { "content-type": "text/plain" }, 415, "application/json"],
    ["no type", {}, 415, "application/json"],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, 415, "application/json"],
    ["something odd", { "content-type": ";;=" }, 415, "application/json"],
    ["another charset", { "content-type": "application/json; charset=utf-16" }, 415, "application/json"],
    ["gzip", { ...JSON_TYPE, "content-encoding": "gzip" }, 415, "content-encoding"],
    ["an unknown encoding", { ...JSON_TYPE, "content-encoding": "rot13" }, 415, "content-encoding"],
  ])("that is sent as %s is refused", async (_name, headers, status, sentence) => {
    const body = Buffer.from(JSON.stringify({ assistant_id: "echo", input: SECRET }));
    const response = await fetch(`${shared.url}/runs`, { method: "POST", headers, body });
    expect(await refusal(response)).toEqual([status, expect.stringContaining(sentence)]);
  });

  test("may name what means something to JavaScript: it is data, wherever it stands", async () => {
    const { url, runs } = await start();
    const odd = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}';
    const response = await post(
      `${url}/runs`,
      `{"assistant_id":"echo","input":${odd},"metadata":${odd},"config":${odd}}`,
    );
    expect(response.status).toBe(200);
    expect(JSON.stringify(runs.accepted[0]?.payload.input)).toBe(odd);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("may say in which charset it is, and be JSON of any kind", async () => {
    const { url } = await start();
    for (const type of ["application/json; charset=UTF-8", "application/vnd.api+json"])
      expect((await post(`${url}/runs`, { assistant_id: "echo" }, { "content-type": type })).status).toBe(200);
  });
});

describe("a path", () => {
  test.each<[string, string, number]>([
    ["GET", "/threads/..%2f..%2fok", 422],
    ["GET", "/threads/%2e%2e", 422],
    ["GET", "/threads/%00", 422],
    ["GET", "/threads/%", 400],
    ["GET", "/threads/%ff", 400],
    ["GET", `//threads/${THREAD}`, 404],
    ["GET", `/threads//${THREAD}`, 404],
    ["GET", `/Threads/${THREAD}`, 404],
    ["GET", `/threads/${THREAD}%20`, 422],
    ["GET", `/threads/${THREAD}%0a`, 422],
    ["GET", `/threads/{sw:0}:thread`, 422],
    ["GET", `/threads/${"0".repeat(4_000)}`, 422],
    ["GET", "/assistants/..%2f..%2f%00", 404],
    ["GET", "/assistants/__proto__", 404],
    ["GET", "/openapi.json/..%2f..%2fpackage.json", 404],
  ])("%s %s is %i", async (method, path, status) => {
    // As it stands: fetch would resolve the dots.
    const answer = await raw(shared.url, `${method} ${path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*\\{"detail":"[^"]+"\\}$`));
  });

  test.each<[string, string, string]>([
    ["DELETE", "/threads", "POST"],
    ["PUT", "/runs/stream", "POST"],
    ["DELETE", "/assistants/search", "POST"],
    ["GET", "/runs/cancel", "POST"],
    ["GET", `/threads/${THREAD}/runs/wait`, "POST"],
    ["HEAD", `${RUN}/stream`, "GET"],
    ["HEAD", `${RUN}/join`, "GET"],
    ["POST", "/ok", "GET, HEAD"],
    ["QUERY", "/threads", "POST"],
    ["TRACE", "/threads", "POST"],
  ])("has no %s %s", async (method, path, allow) => {
    const answer = await raw(shared.url, `${method} ${path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 405 /);
    expect(answer).toContain(`\r\nAllow: ${allow}\r\n`);
  });

  test("answers HEAD without a body, and OPTIONS to everybody", async () => {
    const head = await fetch(`${shared.url}/ok`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect((await fetch(`${shared.url}/no/such/path`, { method: "OPTIONS" })).status).toBe(204);
  });
});

describe("a query", () => {
  test.each([
    ["limit=1&limit=2", "query.limit: must be a string"],
    ["limit=", "query.limit: must be a whole number"],
    ["limit=0x10", "query.limit: must be a whole number"],
    ["limit=1e2", "query.limit: must be a whole number"],
    ["limit=99999999999999999999", "query.limit: must be a whole number"],
    ["limit=1001", "query.limit: must be at most 1000"],
    ["limit=-1", "query.limit: must be a whole number"],
    ["offset=1.5", "query.offset: must be a whole number"],
    ["status=__proto__", "query.status: must be one of"],
    ["status[$ne]=success&status=x", "query.status: must be one of"],
  ])("%s is refused", async (query, sentence) => {
    const response = await fetch(`${shared.url}/threads/${THREAD}/runs?${query}`);
    expect(await refusal(response)).toEqual([422, expect.stringContaining(sentence)]);
  });
});

describe("a header", () => {
  test.each(["garbage", "1-2 3-4", "1-", "-2", "1-2\tid: 9-9", "9".repeat(400), "1-99999999999999999999999"])(
    "Last-Event-ID %j is refused",
    async (id) => {
      const response = await fetch(`${shared.url}${RUN}/stream`, { headers: { "last-event-id": id } });
      expect(await refusal(response)).toEqual([422, expect.stringContaining("header.last-event-id: must be")]);
    },
  );

  test("with a line break in it is not HTTP", async () => {
    const request = `GET ${RUN}/stream HTTP/1.1\r\nHost: here\r\nLast-Event-ID: 1-1\nid 2\r\n\r\n`;
    expect(await raw(shared.url, request)).toMatch(/^HTTP\/1.1 400 [\s\S]*\{"detail":"this is not HTTP"\}$/);
  });

  test.each<[string, string, string]>([
    ["no Host", "GET /ok HTTP/1.1\r\n", "400"],
    ["an expectation", "GET /ok HTTP/1.1\r\nHost: here\r\nExpect: a-miracle\r\n", "417"],
    ["two lengths", "POST /runs HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nContent-Length: 3\r\n", "400"],
    ["two ends", "POST /runs HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n", "400"],
    ["too many bytes", `GET /ok HTTP/1.1\r\nHost: here\r\nX-Long: ${SECRET.repeat(1_000)}\r\n`, "431"],
    ["a long address", `GET /ok?${"a".repeat(9_000)} HTTP/1.1\r\nHost: here\r\n`, "414"],
    ["a longer address", `GET /ok?${"a".repeat(40_000)} HTTP/1.1\r\nHost: here\r\n`, "414"],
  ])("block with %s is refused", async (_name, head, status) => {
    const answer = await raw(shared.url, `${head}Connection: close\r\n\r\n{}`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*\\{"detail":"[^"]+"\\}$`));
  });
});

test("a body that never ends is cut at its limit, and one that stops leaves nothing", async () => {
  const { url, runs } = await start({ environment: { MAX_BODY_BYTES: "2000" } });
  const head =
    "POST /runs HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const endless = `${head}${`400\r\n${"a".repeat(1024)}\r\n`.repeat(3)}`;
  expect(await raw(url, endless)).toMatch(/^HTTP\/1.1 413 [\s\S]*"detail":"body: larger than the limit of 2000 bytes"/);
  const stops = connect(Number(new URL(url).port), "127.0.0.1");
  stops.end(`${head}26\r\n{"assistant_id":"echo","input":"${SECRET}`);
  await new Promise((resolve) => stops.resume().once("close", resolve));
  expect(runs.accepted).toEqual([]);
});

describe("limits are settings", () => {
  test("of bodies, addresses, headers and pages", async () => {
    const { url, runs } = await start({
      environment: {
        ...{ MAX_JSON_DEPTH: "10", MAX_JSON_VALUES: "1000", MAX_URL_BYTES: "600", MAX_HEADER_BYTES: "4096" },
        MAX_PAGE_SIZE: "20",
      },
    });
    const run = (input: string) => post(`${url}/runs`, `{"assistant_id":"echo","input":${input}}`);
    expect(await refusal(await run(`${"[".repeat(10)}${"]".repeat(10)}`))).toEqual([
      422,
      "body: nested more than 10 deep",
    ]);
    expect(await refusal(await run(`[${"0,".repeat(1_000)}0]`))).toEqual([422, "body: holds more than 1000 values"]);
    expect(runs.accepted).toEqual([]);
    const [status, detail] = await refusal(await fetch(`${url}/ok?${"a".repeat(600)}`));
    expect([status, detail]).toEqual([414, "the address is longer than the limit of 600 bytes"]);
    expect((await fetch(`${url}/ok`, { headers: { long: "x".repeat(4_096) } })).status).toBe(431);
    const list = await fetch(`${url}/threads/${THREAD}/runs?limit=21`);
    expect(await refusal(list)).toEqual([422, "query.limit: must be at most 20"]);
    const search = await post(`${url}/assistants/search`, { limit: 21 });
    expect(await refusal(search)).toEqual([422, "body.limit: must be at most 20"]);
    expect((await post(`${url}/assistants/search`, { limit: 20 })).status).toBe(200);
  });

  test("of streams that a client has open: another one is 429 before anything is stored, until one closes", async () => {
    const { url, runs } = await start({ environment: { MAX_STREAMS_PER_CLIENT: "2" } });
    const from = (address: string) => ({ "x-forwarded-for": `10.0.0.1, ${address}` });
    const stream = (address: string) => post(`${url}/runs/stream`, { assistant_id: "echo" }, from(address));
    const first = await stream("192.0.2.1");
    await post(`${url}/runs/wait`, { assistant_id: "echo" }, from("192.0.2.1"));
    const refused = await stream("192.0.2.1");
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(await refusal(refused)).toEqual([429, expect.stringContaining("you have 2 streams")]);
    expect(runs.accepted).toHaveLength(2);
    expect((await post(`${url}/runs`, { assistant_id: "echo" }, from("192.0.2.1"))).status).toBe(200);
    expect((await stream("192.0.2.2")).status).toBe(200);
    await first.body?.cancel();
    await expect.poll(async () => (await stream("192.0.2.1")).status).toBe(200);
  });

  test("of requests that are open on a server: another one is 503, but health is told", async () => {
    const { url } = await start({ environment: { MAX_OPEN_REQUESTS: "10" } });
    for (let opened = 0; opened < 10; opened++)
      expect((await post(`${url}/runs/stream`, { assistant_id: "echo" })).status).toBe(200);
    const refused = await post(`${url}/threads`);
    expect([refused.headers.get("retry-after"), await refusal(refused)]).toEqual([
      "2",
      [503, "too many requests are open on this server; try again"],
    ]);
    expect((await fetch(`${url}/ok`)).status).toBe(200);
  });
});

test("streams that wait their turn on one connection are left when it closes", async () => {
  const { url, runs } = await start();
  const body = '{"assistant_id":"echo"}';
  const request = `POST /runs/stream HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(request.repeat(3)));
  await expect.poll(() => runs.openFollows).toBe(3);
  socket.destroy();
  await expect.poll(() => runs.openFollows).toBe(0);
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^switchyard_open_requests 1$/m);
});

function raw(url: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(request));
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("error", reject);
    socket.on("end", () => resolve(text));
  });
}
