/** Code of a graph that throws where nobody can catch it. */
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { executes, exitOf, numbersOf, oneToTen, recordOf, type StateOfSteps, says } from "../support/runs.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/unruly/langgraph.json", import.meta.url));

// Several processes start in each test, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let all: Topology;
afterEach(() => all.stop());

const begin = async (graph: string) => {
  const { thread_id } = await all.client.threads.create();
  const { run_id } = await all.client.runs.create(thread_id, graph, { input: { pace_ms: 100 } });
  return { thread_id, run_id };
};

test("a worker that crashes gives its runs up at once, a failure each, and logs nothing of what was thrown", async () => {
  all = await topology({ config, workers: 0, environment: { LEASE_MS: "30000" } });
  const crashing = await all.startWorker({ EXPLODES: "true" });
  const runs = [await begin("steps"), await begin("bomb")];
  await executes(crashing, 2);
  await all.startWorker();
  expect(await exitOf(crashing)).toBe(1);
  // What it wrote last may still be on its way when it has ended.
  await says(crashing, '"event":"uncaught_exception"');
  expect(crashing.log()).toMatch(/"event":"uncaught_exception","error":"RangeError","frames":\["\s+at fuse/);
  expect(crashing.log()).not.toContain("what the user said");
  for (const run of runs) {
    await all.client.runs.join(run.thread_id, run.run_id);
    expect(await recordOf(all, run)).toMatchObject({ status: "success", attempt: "2", failures: "1" });
  }
  const { values } = await all.client.threads.getState<StateOfSteps>(runs[0]?.thread_id ?? "");
  expect(numbersOf(values)).toEqual(oneToTen);
});
