/** A Redis that goes away and comes back with its data, under load: no run is lost, none is taken over for it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { RedisServer } from "../../app/local/redisServer.js";
import { APP_USER } from "../support/acl.js";
import { type Load, lostOnceAllEnded, startLoad, takes } from "../support/load.js";
import { startRedis } from "../support/redis.js";
import type { Chunk } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));
// It knows the app from its first moment on: who is refused a login waits for the next try.
const args = ["--appendfsync", "always", "--user", ...APP_USER];

let folder: string;
let redis: RedisServer;
let all: Topology;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "switchyard-restart-"));
  redis = await startRedis({ dataFolder: folder, args });
  all = await topology({ servers: 2, workers: 2, config, redis: { url: redis.url, stop: () => redis.stop() } });
}, 60_000);
afterAll(async () => {
  await all.stop();
  await rm(folder, { recursive: true, force: true });
});

async function comesBack(): Promise<void> {
  redis = await startRedis({ dataFolder: folder, port: redis.port, args });
}

const statuses = (path: string, of = [...all.servers, ...all.workers]) =>
  Promise.all(of.map(async ({ url }) => (await fetch(`${url}${path}`)).status));

/** Until a server has said that Redis is away. */
const refuses = (load: Load) =>
  vi.waitFor(() => expect(load.refusals).toContain(503), { timeout: 5_000, interval: 20 });

/** @returns what a client of the SDK sees of a run that takes some seconds */
function follow(): { chunks: Chunk[]; ended: Promise<void> } {
  const chunks: Chunk[] = [];
  const stream = all.client.runs.stream(null, "steps", { input: { pace_ms: 500 } });
  const ended = (async () => {
    for await (const chunk of stream) chunks.push(chunk as Chunk);
  })();
  return { chunks, ended };
}

const expectNoGap = ({ chunks }: ReturnType<typeof follow>) => {
  // All of the first attempt: nobody took it over.
  expect(chunks.map(({ id }) => id)).toEqual(chunks.map((_, at) => `1-${at}`));
  expect(chunks.at(-1)?.event).toBe("end");
  expect(chunks.filter(({ event }) => event === "values").at(-1)?.data).toMatchObject({ steps: { length: 10 } });
};

test("Redis is killed and restarts: requests get 503 meanwhile, runs go on, none is lost or taken over", {
  timeout: 90_000,
}, async () => {
  const load = startLoad(all.url);
  const stream = follow();
  await vi.waitFor(() => expect(stream.chunks.length).toBeGreaterThan(2), { timeout: 10_000 });
  await takes(load, 10, 10_000);

  process.kill(redis.pid, "SIGKILL");
  await redis.ended;
  await refuses(load);
  expect(await statuses("/ok")).toEqual([200, 200, 200, 200]);
  expect(await statuses("/ok?check_db=1", all.servers)).toEqual([500, 500]);
  await comesBack();
  await takes(load, 10, 10_000);
  await load.stop();
  await stream.ended;
  expectNoGap(stream);
  expect(new Set(load.refusals)).toEqual(new Set([503]));
  expect(load.longestAnswerMs).toBeLessThan(3_500);
  expect(await lostOnceAllEnded(load, all.client, 30_000)).toEqual([]);
  expect(await statuses("/ok?check_db=1", all.servers)).toEqual([200, 200]);
});

test("Redis stands still for longer than a lease: the same", { timeout: 90_000 }, async () => {
  const load = startLoad(all.url);
  const stream = follow();
  await vi.waitFor(() => expect(stream.chunks.length).toBeGreaterThan(2), { timeout: 10_000 });

  process.kill(redis.pid, "SIGSTOP");
  try {
    // A request takes at most as long as a command may, so this is longer than a lease.
    await vi.waitFor(() => expect(load.refusals.length).toBeGreaterThan(3), { timeout: 10_000 });
    expect(await statuses("/ok")).toEqual([200, 200, 200, 200]);
  } finally {
    process.kill(redis.pid, "SIGCONT");
  }
  await takes(load, 10, 10_000);
  await load.stop();
  await stream.ended;
  expectNoGap(stream);
  expect(load.longestAnswerMs).toBeLessThan(6_000);
  expect(await lostOnceAllEnded(load, all.client, 30_000)).toEqual([]);
});

test("a burst while Redis is away is refused at once, and nothing of it is kept", { timeout: 60_000 }, async () => {
  const [server] = all.servers;
  if (!server) throw new Error("there is no server");
  process.kill(redis.pid, "SIGKILL");
  await redis.ended;
  await vi.waitFor(async () => expect((await fetch(`${server.url}/ok?check_db=1`)).status).toBe(500));
  const asked = performance.now();
  const body = JSON.stringify({ assistant_id: "steps", input: { text: "x".repeat(10_000) } });
  const burst = await Promise.all(
    Array.from({ length: 500 }, async () => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${server.url}/runs`, { method: "POST", headers, body });
      await response.arrayBuffer();
      return response;
    }),
  );
  expect(new Set(burst.map(({ status }) => status))).toEqual(new Set([503]));
  expect(burst.every(({ headers }) => headers.get("retry-after") === "1")).toBe(true);
  expect(performance.now() - asked).toBeLessThan(5_000);
  await comesBack();
  for (const { url } of all.servers)
    await vi.waitFor(async () => expect((await fetch(`${url}/ok?check_db=1`)).status).toBe(200), { timeout: 5_000 });
  expect(await all.client.runs.wait(null, "steps", { input: { pace_ms: 10 } })).toMatchObject({
    steps: { length: 10 },
  });
});
