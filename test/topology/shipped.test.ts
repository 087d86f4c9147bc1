/** Takeover at the values that are shipped; all other tests scale them down. `--reporter=verbose` tells how long it took. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { executes, numbersOf, oneToTen, recordOf, type StateOfSteps } from "../support/runs.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));
const SHIPPED = { LEASE_MS: "30000", HEARTBEAT_MS: "10000", SWEEP_MS: "5000" };

let all: Topology;
beforeAll(async () => {
  all = await topology({ config, servers: 2, workers: 1, environment: SHIPPED });
});
afterAll(() => all.stop());

test("a run whose worker is killed goes on elsewhere within 35 s, and no step is done twice", {
  timeout: 90_000,
}, async ({ annotate }) => {
  const [doomed] = all.workers;
  if (!doomed) throw new Error("there is no worker");
  const { thread_id } = await all.client.threads.create();
  const run = await all.client.runs.create(thread_id, "steps", { input: { pace_ms: 1_000 } });
  await executes(doomed, 1);
  const someSteps = async () => {
    const { values } = await all.client.threads.getState<StateOfSteps>(thread_id);
    expect(numbersOf(values).length).toBeGreaterThan(1);
  };
  await vi.waitFor(someSteps, { timeout: 10_000 });
  await all.startWorker();
  expect((await all.client.runs.get(thread_id, run.run_id)).status).toBe("running");

  await doomed.end("SIGKILL");
  const killed = performance.now();
  await vi.waitFor(async () => expect((await recordOf(all, run)).attempt).toBe("2"), {
    timeout: 60_000,
    interval: 100,
  });
  const takeoverMs = performance.now() - killed;
  await annotate(`taken over after ${(takeoverMs / 1000).toFixed(1)} s`);
  expect(takeoverMs).toBeLessThan(35_000);

  await all.client.runs.join(thread_id, run.run_id);
  const { values } = await all.client.threads.getState<StateOfSteps>(thread_id);
  expect(numbersOf(values)).toEqual(oneToTen);
});
