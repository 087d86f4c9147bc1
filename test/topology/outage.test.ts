/** Redis is away for a while under running runs: their workers keep them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as lasting } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { resolveRedisBinary } from "../../app/local/redisBinary.js";
import { freePort, type RedisServer, startRedisServer } from "../../app/local/redisServer.js";
import { APP_USER } from "../support/acl.js";
import { startRedis } from "../support/redis.js";
import {
  doersOf,
  executes,
  numbersOf,
  oneToTen,
  recordOf,
  type StateOfSteps,
  says,
  watchHealth,
} from "../support/runs.js";
import { type Topology, type TopologyOptions, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));
/** The outages below are longer than the lease, which is 1.5 s here. */
const OUTAGE_MS = 3_000;

// Several processes start in each test, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let all: Topology;
const start = async (options: TopologyOptions) => {
  all = await topology({ config, workers: 2, ...options });
};
afterEach(() => all.stop());

const begin = async (threadId: string | null) => {
  const input = { pace_ms: 300 };
  const thread_id = threadId ?? (await all.client.threads.create()).thread_id;
  const run = await all.client.runs.create(thread_id, "steps", { input, durability: "sync" });
  return { thread_id, run_id: run.run_id };
};
const begins = async () => {
  const runs = await Promise.all([begin(null), begin(null), begin(null)]);
  const atWork = async () => {
    for (const run of runs) expect(await recordOf(all, run)).toMatchObject({ status: "running" });
  };
  await vi.waitFor(atWork, { timeout: 20_000 });
  return runs;
};
const ends = async (run: { thread_id: string; run_id: string }) =>
  await vi.waitFor(
    async () => {
      expect(await recordOf(all, run)).toMatchObject({ status: "success" });
      return (await all.client.threads.getState<StateOfSteps>(run.thread_id)).values;
    },
    { timeout: 20_000, interval: 100 },
  );

test("a Redis that stands still for longer than a lease takes no run from its worker, and no instance is unwell", async () => {
  const redis = await startRedis();
  await start({ redis });
  const runs = await begins();
  const stopWatching = watchHealth([...all.servers, ...all.workers]);
  process.kill(redis.pid, "SIGSTOP");
  await lasting(OUTAGE_MS);
  // The truth about Redis is told to who asks for it.
  for (const { url } of all.workers) expect((await fetch(`${url}/ok?check_db=1`)).status).toBe(500);
  process.kill(redis.pid, "SIGCONT");
  for (const run of runs) {
    const values = await ends(run);
    expect(numbersOf(values)).toEqual(oneToTen);
    expect(doersOf(values).size).toBe(1);
    expect(await recordOf(all, run)).toMatchObject({ attempt: "1" });
  }
  expect(await stopWatching()).toEqual([]);
});

test("neither does a Redis that is started again with its data", async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "switchyard-outage-"));
  onTestFinished(() => rmSync(dataFolder, { recursive: true, force: true }));
  const port = await freePort();
  const binary = await resolveRedisBinary(() => {});
  // It knows the app from its first moment on: who is refused a login waits for the next try, which a lease may not last for.
  const args = ["--appendfsync", "always", "--user", ...APP_USER];
  const serve = () => startRedisServer(binary, { port, dataFolder, args });
  let server: RedisServer = await serve();
  // Shorter than the outage, and long enough for all to come back after the first that sweeps.
  const environment = { LEASE_MS: "2500" };
  await start({ redis: { url: server.url, stop: () => server.stop() }, environment });
  const runs = await begins();
  const stopWatching = watchHealth([...all.servers, ...all.workers]);
  await server.stop();
  await lasting(OUTAGE_MS);
  server = await serve();
  for (const run of runs) {
    expect(numbersOf(await ends(run))).toEqual(oneToTen);
    expect(await recordOf(all, run)).toMatchObject({ attempt: "1" });
  }
  expect(await stopWatching()).toEqual([]);
});

test("after OUTAGE_SECONDS the runs are stopped, and handed back without a failure when Redis answers again", async () => {
  const redis = await startRedis();
  await start({ redis, workers: 1, environment: { OUTAGE_SECONDS: "1", BLOCKED_LOOP_SECONDS: "1" } });
  const [worker] = all.workers;
  if (!worker) throw new Error("no worker");
  const run = await begin(null);
  await executes(worker, 1);
  process.kill(redis.pid, "SIGSTOP");
  // A beat that is not answered is given up after a second, and the outage counted from when it was asked.
  await says(worker, '"event":"outage","runs":1');
  process.kill(redis.pid, "SIGCONT");
  expect(numbersOf(await ends(run))).toEqual(oneToTen);
  const record = await recordOf(all, run);
  expect(record.attempt).toBe("2");
  expect(record.failures ?? "0").toBe("0");
  expect(worker.log()).toContain('"event":"run_released"');
});
