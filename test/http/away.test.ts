/** Redis goes away under a server: what its clients see. */
import { randomUUID } from "node:crypto";
import { Redis as Standalone } from "ioredis";
import { v7 } from "uuid";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Removals } from "../../app/data/removal.js";
import { Threads } from "../../app/data/threads.js";
import { connect, type Redis, ready } from "../../app/redis/connect.js";
import { Keys } from "../../app/redis/partitions.js";
import { Runs } from "../../app/runs/runs.js";
import { createLog } from "../../app/telemetry/log.js";
import { asApp } from "../support/acl.js";
import { startRedis } from "../support/redis.js";
import { detailOf, post, type Started, startServer } from "./support.js";

const log = createLog("silent", { instance: "server-1", role: "server" });
let redis: Awaited<ReturnType<typeof startRedis>>;
let connections: Redis[];
let at: Started;
beforeAll(async () => {
  redis = await startRedis();
  const url = await asApp(redis.url);
  const [commands, subscriber] = [connect({ url }, "request", log), connect({ url }, "subscriber", log)];
  connections = [commands, subscriber];
  await Promise.all(connections.map((connection) => ready(connection, 5_000)));
  const keys = new Keys("sw");
  const removals = new Removals(commands, keys);
  const runs = new Runs({ commands, subscriber, keys, removals, outageSeconds: 90, log });
  at = await startServer({
    environment: { SSE_HEARTBEAT_MS: "500" },
    core: { runs, threads: new Threads(commands, keys), redis: commands },
  });
});
afterAll(async () => {
  for (const connection of connections) connection.disconnect();
  await at.close();
  await redis.stop();
});

const RUN = { assistant_id: "echo" };
const ask = () => [
  fetch(`${at.url}/threads/${randomUUID()}`),
  fetch(`${at.url}/threads/${randomUUID()}/runs`),
  post(`${at.url}/threads`),
  post(`${at.url}/runs`, RUN),
  post(`${at.url}/runs/stream`, RUN),
  post(`${at.url}/runs/wait`, RUN),
  post(`${at.url}/threads/${v7()}/runs/stream`, { ...RUN, if_not_exists: "create" }),
];

async function expectAway(): Promise<void> {
  for (const response of await Promise.all(ask())) {
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await detailOf(response)).toContain("try again");
  }
  expect((await fetch(`${at.url}/ok`)).status).toBe(200);
  expect((await fetch(`${at.url}/ok?check_db=1`)).status).toBe(500);
}

test("a Redis that stands still: 503, and as before once it goes on", async () => {
  process.kill(redis.pid, "SIGSTOP");
  await expectAway();
  process.kill(redis.pid, "SIGCONT");
  await vi.waitFor(async () => expect((await post(`${at.url}/threads`)).status).toBe(200));
});

test("a burst while Redis stands still is refused within a command's limit, and nothing of it is held", async () => {
  const commands = connections[0] ?? expect.fail("no connection");
  const held = () => (commands instanceof Standalone ? commands.commandQueue.length : Number.NaN);
  process.kill(redis.pid, "SIGSTOP");
  const asked = performance.now();
  const burst = await Promise.all(Array.from({ length: 300 }, () => post(`${at.url}/runs`, RUN)));
  expect(new Set(burst.map(({ status }) => status))).toEqual(new Set([503]));
  expect(performance.now() - asked).toBeLessThan(10_000);
  process.kill(redis.pid, "SIGCONT");
  await vi.waitFor(() => expect(held()).toBe(0), { timeout: 10_000 });
  await vi.waitFor(async () => expect((await post(`${at.url}/threads`)).status).toBe(200), { timeout: 10_000 });
});

test("a Redis that is gone: 503, and open streams stay open", async () => {
  const stream = await post(`${at.url}/runs/stream`, { assistant_id: "echo" });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader() ?? expect.fail("no body");
  await redis.stop();
  await expectAway();
  let text = "";
  while (!text.includes(": heartbeat\n")) text += (await reader.read()).value ?? expect.fail("cut");
  await reader.cancel();
});
