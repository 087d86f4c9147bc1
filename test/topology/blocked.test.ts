/** A graph that blocks its worker's event loop: the heartbeat has a thread of its own. */
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { Keys } from "../../app/redis/partitions.js";
import { scripts } from "../../app/runs/scripts.js";
import {
  adminOf,
  doersOf,
  executes,
  exitOf,
  healthOf,
  numbersOf,
  oneToTen,
  recordOf,
  type StateOfSteps,
  says,
  watchHealth,
} from "../support/runs.js";
import { type Topology, type TopologyOptions, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/unruly/langgraph.json", import.meta.url));

// Several processes start in each test, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let all: Topology;
const start = async (options: TopologyOptions) => {
  all = await topology({ config, workers: 0, ...options });
};
afterEach(() => all.stop());

const BLOCKS = { BLOCKS: "true" };
const begin = async (graph: string, pace_ms: number) => {
  const { thread_id } = await all.client.threads.create();
  const { run_id } = await all.client.runs.create(thread_id, graph, { input: { pace_ms }, durability: "sync" });
  return { thread_id, run_id };
};
const ended = async ({ thread_id, run_id }: { thread_id: string; run_id: string }) => {
  await all.client.runs.join(thread_id, run_id);
  return await all.client.runs.get(thread_id, run_id);
};

test("a run that blocks the loop for longer than its lease keeps it, and its worker is well", async () => {
  await start({});
  const worker = await all.startWorker(BLOCKS);
  const other = await all.startWorker();
  other.process.kill("SIGSTOP");
  const run = await begin("blocks", 4_000);
  await executes(worker, 1);
  other.process.kill("SIGCONT");
  const stopWatching = watchHealth([worker, other]);
  expect(await ended(run)).toMatchObject({ status: "success" });
  expect(await stopWatching()).toEqual([]);
  expect(await recordOf(all, run)).toMatchObject({ attempt: "1" });
});

test("a cancelled run that blocks the loop is ended by its worker's own heartbeat, and nothing is written after", async () => {
  // Neither the server that took the cancel nor a sweep ends it: the script is called by hand, and sweeps are far away.
  await start({ environment: { SWEEP_MS: "60000" } });
  const worker = await all.startWorker(BLOCKS);
  const run = await begin("blocks", 3_000);
  await executes(worker, 1);
  await says(worker, "blocking");
  const admin = adminOf(all.redis);
  const key = new Keys("sw").of(run.thread_id, "run", run.run_id);
  expect(await scripts.cancel.run(admin, key, run.run_id, run.thread_id, "interrupt", 700)).toBe("requested");
  const cancelled = performance.now();
  await vi.waitFor(async () => expect((await recordOf(all, run)).status).toBe("interrupted"), {
    interval: 20,
    timeout: 5_000,
  });
  expect(performance.now() - cancelled).toBeLessThan(1_000);
  expect((await healthOf(worker)).running).toBe(1);

  const stored = await recordOf(all, run);
  await executes(worker, 0);
  expect(await recordOf(all, run)).toEqual(stored);
  const { values } = await all.client.threads.getState<StateOfSteps>(run.thread_id);
  expect(values.steps ?? []).toEqual([]);
});

test("a loop that does not turn ends its process, and its runs go on elsewhere at once, as one failure each", async () => {
  await start({ environment: { BLOCKED_LOOP_SECONDS: "1", LEASE_MS: "30000" } });
  const blocked = await all.startWorker(BLOCKS);
  const stuck = await begin("blocks", 20_000);
  const beside = await begin("steps", 100);
  await executes(blocked, 2);
  const other = await all.startWorker();

  expect(await exitOf(blocked)).toBe("SIGKILL");
  // What it wrote last may still be on its way when it has ended.
  await says(blocked, '"event":"loop_blocked","runs":2');
  for (const run of [stuck, beside]) {
    expect(await ended(run)).toMatchObject({ status: "success" });
    expect(await recordOf(all, run)).toMatchObject({ attempt: "2", failures: "1" });
  }
  const { values } = await all.client.threads.getState<StateOfSteps>(beside.thread_id);
  expect(numbersOf(values)).toEqual(oneToTen);
  expect(doersOf(values)).toContain(other.process.pid);
});

test("a run that blocks whichever worker takes it ends with an error at the limit of failures", async () => {
  await start({ environment: { BLOCKED_LOOP_SECONDS: "1", LEASE_MS: "30000", MAX_FAILURES: "2", ...BLOCKS } });
  await Promise.all([all.startWorker(), all.startWorker()]);
  const run = await begin("blocks", 20_000);
  const { status } = await vi.waitFor(
    async () => {
      const now = await all.client.runs.get(run.thread_id, run.run_id);
      expect(now.status).not.toMatch(/pending|running/);
      return now;
    },
    { timeout: 20_000, interval: 100 },
  );
  expect(status).toBe("error");
  expect(await recordOf(all, run)).toMatchObject({ attempt: "2", failures: "2" });
});
