/** What users on a small machine notice: how much memory a role takes, and how soon an answer begins. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { type Instance, type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));

let all: Topology;
afterEach(() => all.stop());

const residentMb = ({ process }: Instance) =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(process.pid)], { encoding: "utf8" })) / 1024;

test("each role stays under 180 MB at rest, and echo's first event comes within 30 ms at the median", async () => {
  all = await topology({ servers: 2, workers: 1 });
  for (const instance of [...all.servers, ...all.workers]) expect(residentMb(instance)).toBeLessThan(180);

  const milliseconds: number[] = [];
  for (let request = 0; request < 120; request++) {
    const sent = performance.now();
    const stream = all.client.runs.stream(null, "echo", { input: { messages: [{ role: "user", content: "hello" }] } });
    let first = 0;
    for await (const _ of stream) first ||= performance.now() - sent;
    if (request >= 20) milliseconds.push(first);
  }
  milliseconds.sort((a, b) => a - b);
  expect(milliseconds[50]).toBeLessThan(30);
});

test("a server's memory does not grow with the length of a stream, live or replayed", async () => {
  // A server that kept what it passes on could not hold these hundred megabytes: it would end at its heap's limit.
  all = await topology({ config, environment: { NODE_OPTIONS: "--max-old-space-size=96" } });
  const events = 2_000;
  const bytes = 50_000;
  const run = await fetch(`${all.url}/runs/stream`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ assistant_id: "flood", input: { events, bytes }, stream_mode: "custom" }),
  });
  const place = run.headers.get("location") ?? expect.fail("no Location");
  const late = await fetch(`${all.url}${place}`, { headers: { "last-event-id": "-1" } });
  for (const bytesRead of await Promise.all([received(run), received(late)]))
    expect(bytesRead).toBeGreaterThan(events * bytes);
  expect(all.servers[0]?.process.exitCode).toBeNull();
}, 60_000);

async function received(response: Response): Promise<number> {
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  return bytes;
}
