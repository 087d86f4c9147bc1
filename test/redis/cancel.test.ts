/** Cancels: of runs in every state, with owners that hear of them and owners that don't. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { partitionOf } from "../../app/redis/partitions.js";
import type { Confirm } from "../../app/redis/replication.js";
import { Runs } from "../../app/runs/runs.js";
import { scripts } from "../../app/runs/scripts.js";
import { type Core, collect, newRun, silent, startCore, success } from "../support/core.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
beforeEach(async () => {
  await core.admin.flushall();
});
afterAll(() => core.stop());

const statusOf = async (run: { threadId: string; runId: string }) =>
  (await core.runs.get(run.threadId, run.runId))?.status;
const threadOf = (threadId: string) => core.redis.hgetall(core.keys.of(threadId, "thread", threadId));

test("a pending run ends at once, also a delayed one", async () => {
  const threadId = uuid();
  const [active, waiting, delayed] = [
    newRun({ threadId }),
    newRun({ threadId }),
    newRun({ threadId, afterMs: 60_000 }),
  ];
  for (const run of [active, waiting, delayed]) await core.runs.enqueue(run);
  for (const run of [waiting, delayed, active]) {
    await core.runs.cancel(threadId, run.runId);
    expect(await statusOf(run)).toBe("interrupted");
  }
  expect(await threadOf(threadId)).toMatchObject({ status: "idle", active: "", open: "0" });
  expect((await core.attempts.claim(partitionOf(threadId), ["echo"], 5, 1000)).runs).toEqual([]);
});

test("the owner hears of it, ends its run, and what it does later is refused", async () => {
  const run = newRun();
  await core.runs.enqueue(run);
  const claimed = await core.claim(run.threadId);
  await core.runs.cancel(run.threadId, run.runId);
  expect(await core.attempts.append(claimed, 1, [{ event: "values", data: "{}" }])).toBe("interrupt");
  expect(await core.attempts.heartbeat(partitionOf(run.threadId), [claimed], 1000)).toEqual([
    { owner: claimed.owner, word: "interrupt" },
  ]);
  expect(await core.attempts.finish(claimed, success, 2, [])).toBe("ended");
  expect(await statusOf(run)).toBe("interrupted");
  expect(await core.attempts.append(claimed, 3, [{ event: "values", data: "{}" }])).toBe("lost");
});

test("a graph that fails while it is stopped leaves no error", async () => {
  const run = newRun();
  const follow = await core.runs.follow(run.threadId, run.runId, "new");
  await core.runs.enqueue(run);
  const claimed = await core.claim(run.threadId);
  await core.runs.cancel(run.threadId, run.runId);
  const error = '{"error":"Error","message":"aborted"}';
  const failure = { status: "error", threadStatus: "error", answer: `{"__error__":${error}}`, error } as const;
  await core.attempts.finish(claimed, failure, 1, [{ event: "error", data: error }]);
  const events = await collect(follow);
  expect(events.map(({ id, event, data }) => [id, event, data])).toEqual([
    ["1-0", "metadata", expect.any(String)],
    ["1-1", "end", "{}"],
  ]);
  expect(await threadOf(run.threadId)).toMatchObject({ status: "interrupted" });
});

test("an owner that does not answer is overruled within a second", async () => {
  const run = newRun();
  await core.runs.enqueue(run);
  const claimed = await core.claim(run.threadId);
  const asked = performance.now();
  await core.runs.cancel(run.threadId, run.runId);
  await expect.poll(() => statusOf(run), { interval: 10, timeout: 5_000 }).toBe("interrupted");
  expect(performance.now() - asked).toBeLessThan(1_000);
  expect(await core.attempts.finish(claimed, success, 1, [])).toBe("lost");
});

test("where the owner has ended it, nobody asks replicas for an end that the server did not write", async () => {
  const confirm = vi.fn<Confirm>(async () => {});
  const runs = new Runs({ ...core, commands: core.redis, confirm, outageSeconds: 90, log: silent });
  const overrule = vi.spyOn(scripts.overrule, "run");
  const run = newRun();
  await runs.enqueue(run);
  const claimed = await core.claim(run.threadId);
  await runs.cancel(run.threadId, run.runId);
  await core.attempts.finish(claimed, success, 1, []);
  await vi.waitFor(() => expect(overrule).toHaveBeenCalled(), { timeout: 5_000 });
  expect(await overrule.mock.results[0]?.value).toBe("not_needed");
  expect(confirm.mock.calls.map(([, { what }]) => what)).toEqual(["enqueue", "cancel"]);
  overrule.mockRestore();
  runs.close();
});

test("where the server that took the cancel died too, a sweep overrules", async () => {
  const run = newRun();
  await core.runs.enqueue(run);
  await core.claim(run.threadId);
  await core.runs.cancel(run.threadId, run.runId);
  core.runs.close();
  await vi.waitFor(
    async () => {
      await core.sweep();
      expect(await statusOf(run)).toBe("interrupted");
    },
    { timeout: 5_000 },
  );
});

test("a run that has ended, or that is not there, is refused", async () => {
  const run = newRun();
  await core.runs.enqueue(run);
  await core.attempts.finish(await core.claim(run.threadId), success, 1, []);
  await expect(core.runs.cancel(run.threadId, run.runId)).rejects.toMatchObject({ reason: "run_ended" });
  await expect(core.runs.cancel(run.threadId, uuid())).rejects.toMatchObject({ reason: "run_missing" });
  const elsewhere = uuid();
  await expect(core.runs.cancel(elsewhere, run.runId)).rejects.toMatchObject({
    reason: "run_missing",
    message: `run ${run.runId} of thread ${elsewhere} does not exist`,
  });
  expect(await statusOf(run)).toBe("success");
});
