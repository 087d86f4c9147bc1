/** Threads on every partition of a cluster, followed at once, also by who comes later. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startClusterCore, threadOfEachPartition } from "../support/cluster.js";
import { newRun, success } from "../support/core.js";
import { readThread, tellState } from "../support/threadReader.js";

let core: Awaited<ReturnType<typeof startClusterCore>>;
beforeAll(async () => {
  core = await startClusterCore();
});
afterAll(() => core.stop());

test("each gets its own events from run to run, and its end when it is deleted", async () => {
  const threads = threadOfEachPartition();
  const runOnce = async (threadId: string) => {
    await core.runs.enqueue(newRun({ threadId }));
    const run = await core.claim(threadId);
    await core.attempts.finish(run, success, 1, [{ event: "custom", data: JSON.stringify(threadId) }]);
  };
  for (const threadId of threads) await runOnce(threadId);
  const live = await Promise.all(threads.map((threadId) => readThread(core, threadId, "now")));
  for (const threadId of threads) {
    await tellState(core, threadId);
    await runOnce(threadId);
  }
  for (const { reached } of live) await reached(7);
  const later = await Promise.all(threads.map((threadId) => readThread(core, threadId, { after: 3 })));
  for (const { reached } of later) await reached(7);
  for (const threadId of threads) await core.removals.deleteThread(threadId);
  for (const [at, threadId] of threads.entries())
    for (const { seen, done } of [live[at], later[at]].filter((reader) => reader !== undefined)) {
      await done;
      expect(seen.map(({ event }) => event)).toEqual(["state_update", "metadata", "custom", "end", "end"]);
      expect(seen[2]?.data).toBe(JSON.stringify(threadId));
    }
});
