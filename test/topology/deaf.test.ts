/** Nodes that ignore their signal: their runs end at once, their slots stay taken, and a worker that has one too long goes. */
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import {
  doersOf,
  executes,
  exitOf,
  healthOf,
  numbersOf,
  oneToTen,
  recordOf,
  type StateOfSteps,
  says,
} from "../support/runs.js";
import { type Topology, type TopologyOptions, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/unruly/langgraph.json", import.meta.url));

// Several processes start in each test, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let all: Topology;
const start = async (options: TopologyOptions) => {
  all = await topology({ config, workers: 1, ...options });
};
afterEach(() => all.stop());

const begin = async (graph: string, pace_ms: number, streamMode: "values" | "events" = "values") => {
  const { thread_id } = await all.client.threads.create();
  const payload = { input: { pace_ms }, durability: "sync", streamMode } as const;
  const { run_id } = await all.client.runs.create(thread_id, graph, payload);
  return { thread_id, run_id };
};
const [worker, other] = [() => all.workers[0] ?? expect.fail(), () => all.workers[1] ?? expect.fail()];

test.each(["values", "events"] as const)(
  "a cancelled run (stream mode %s) whose node is deaf ends at once, and its slot is free when the node settles",
  async (streamMode) => {
    await start({ environment: { RUNS_PER_WORKER: "1" } });
    const deaf = await begin("deaf", 4_000, streamMode);
    await says(worker(), "not listening");
    const cancelled = performance.now();
    await all.client.runs.cancel(deaf.thread_id, deaf.run_id, true);
    expect(performance.now() - cancelled).toBeLessThan(1_000);
    expect(await all.client.runs.get(deaf.thread_id, deaf.run_id)).toMatchObject({ status: "interrupted" });

    const next = await begin("steps", 10);
    expect((await healthOf(worker())).running).toBe(1);
    expect(await all.client.runs.get(next.thread_id, next.run_id)).toMatchObject({ status: "pending" });
    await all.client.runs.join(next.thread_id, next.run_id);
    expect(performance.now() - cancelled).toBeGreaterThan(3_000);
    const { values } = await all.client.threads.getState<StateOfSteps>(deaf.thread_id);
    expect(values.steps ?? []).toEqual([]);
  },
);

test("a node that stays deaf for too long ends its worker, which hands back its other runs without a failure", async () => {
  await start({ environment: { ABANDONED_NODE_SECONDS: "0.5", LEASE_MS: "30000" } });
  const deaf = await begin("deaf", 60_000);
  const beside = await begin("steps", 700);
  await executes(worker(), 2);
  await says(worker(), "not listening");
  await all.startWorker();
  await all.client.runs.cancel(deaf.thread_id, deaf.run_id, true);

  await vi.waitFor(async () => expect(await healthOf(worker())).toMatchObject({ status: 503, ok: false }), {
    timeout: 20_000,
    interval: 10,
  });
  expect(await exitOf(worker())).toBe(1);
  await says(worker(), '"event":"node_abandoned"');
  await all.client.runs.join(beside.thread_id, beside.run_id);
  expect(await recordOf(all, beside)).toMatchObject({ status: "success", attempt: "2" });
  expect((await recordOf(all, beside)).failures ?? "0").toBe("0");
  const { values } = await all.client.threads.getState<StateOfSteps>(beside.thread_id);
  expect(numbersOf(values)).toEqual(oneToTen);
  expect(doersOf(values)).toEqual(new Set([worker().process.pid, other().process.pid]));
});
