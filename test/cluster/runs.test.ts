/** The coordination core where threads lie on different nodes. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { PARTITIONS, partitionOf } from "../../app/redis/partitions.js";
import { hearCancels } from "../../app/runs/control.js";
import { RunRefused } from "../../app/runs/types.js";
import { type ClusterCore, startClusterCore, threadOfEachPartition } from "../support/cluster.js";
import { collect, newRun, success } from "../support/core.js";

let core: ClusterCore;
beforeAll(async () => {
  core = await startClusterCore();
});
beforeEach(async () => {
  await Promise.all(core.cluster.admins.map((admin) => admin.flushall()));
});
afterAll(() => core.stop());

const statusOf = async (run: { threadId: string; runId: string }) =>
  (await core.runs.get(run.threadId, run.runId))?.status;

const numbered = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ event: "custom", data: JSON.stringify(at + 1) }));
const idsTo = (last: number) => Array.from({ length: last + 1 }, (_, at) => `1-${at}`);

test("threads are spread over all masters", async () => {
  for (const threadId of threadOfEachPartition()) await core.runs.enqueue(newRun({ threadId, graphId: "spread" }));
  const counts = await Promise.all(core.cluster.admins.map((admin) => admin.dbsize()));
  for (const count of counts) expect(count).toBeGreaterThan(PARTITIONS);
});

test("runs of many threads: every event comes once, in order, the end last", async () => {
  const seen = await Promise.all(
    threadOfEachPartition().map(async (threadId) => {
      const run = newRun({ threadId });
      const all = collect(await core.runs.follow(threadId, run.runId, "new"));
      await core.runs.enqueue(run);
      const claimed = await core.claim(threadId);
      for (let seq = 1; seq <= 50; seq += 10) await core.attempts.append(claimed, seq, numbered(10));
      expect(await core.attempts.heartbeat(partitionOf(threadId), [claimed], 30_000)).toEqual([]);
      await core.attempts.finish(claimed, success, 51, []);
      return (await all).map(({ id }) => id);
    }),
  );
  for (const ids of seen) expect(ids).toEqual(idsTo(51));
});

test("joining late reads what is kept, whichever node keeps it", async () => {
  await Promise.all(
    threadOfEachPartition().map(async (threadId) => {
      const run = newRun({ threadId });
      await core.runs.enqueue(run);
      const claimed = await core.claim(threadId);
      await core.attempts.append(claimed, 1, numbered(300));
      const all = collect(await core.runs.follow(threadId, run.runId, { after: "1-100" }));
      await core.attempts.finish(claimed, success, 301, []);
      expect((await all).map(({ id }) => id)).toEqual(idsTo(301).slice(101));
    }),
  );
});

test("runs of a thread start in order, one at a time; a thread's runs are listed; refusals are those of one Redis", async () => {
  for (const threadId of threadOfEachPartition()) {
    const [first, second] = [newRun({ threadId }), newRun({ threadId })];
    for (const run of [first, second]) await core.runs.enqueue(run);
    await expect(core.runs.enqueue(newRun({ threadId, strategy: "reject" }))).rejects.toThrow(RunRefused);
    const claimed = await core.claim(threadId);
    expect(claimed.runId).toBe(first.runId);
    await core.attempts.finish(claimed, success, 1, []);
    expect(await core.attempts.release(await core.claim(threadId))).toBe("released");
    expect((await core.claim(threadId)).runId).toBe(second.runId);
    const listed = await core.runs.list(threadId, { limit: 10, offset: 0 });
    expect(listed.map(({ runId }) => runId)).toEqual([second.runId, first.runId]);
  }
});

describe("cancelling", () => {
  test("each owner hears of it, wherever its run is", async () => {
    const heard = new Map<string, string>();
    await hearCancels(core.subscriber, core.keys, ({ owner, word }) => heard.set(owner, word));
    const runs = threadOfEachPartition().map((threadId) => newRun({ threadId }));
    await Promise.all(
      runs.map(async (run) => {
        await core.runs.enqueue(run);
        const claimed = await core.claim(run.threadId);
        await core.runs.cancel(run.threadId, run.runId);
        await vi.waitFor(() => expect(heard.get(claimed.owner)).toBe("interrupt"));
        await core.attempts.finish(claimed, success, 1, []);
        expect(await statusOf(run)).toBe("interrupted");
      }),
    );
  });

  test("owners that don't answer are overruled within a second", async () => {
    const runs = threadOfEachPartition().map((threadId) => newRun({ threadId }));
    await Promise.all(
      runs.map(async (run) => {
        await core.runs.enqueue(run);
        await core.claim(run.threadId);
        await core.runs.cancel(run.threadId, run.runId);
      }),
    );
    const asked = performance.now();
    for (const run of runs) await expect.poll(() => statusOf(run), { interval: 20 }).toBe("interrupted");
    expect(performance.now() - asked).toBeLessThan(1_000);
  });
});

test("a sweep takes back the runs of lost workers on every node", async () => {
  const runs = threadOfEachPartition().map((threadId) => newRun({ threadId }));
  for (const run of runs) {
    await core.runs.enqueue(run);
    await core.claim(run.threadId, 1);
  }
  await core.sweep();
  for (const run of runs) expect(await statusOf(run)).toBe("pending");
});

describe("a lost connection", () => {
  /** The subscribers' connections are cut on all nodes. */
  const cutSubscribers = () =>
    Promise.all(core.cluster.admins.map((admin) => admin.call("CLIENT", "KILL", "TYPE", "pubsub")));

  test("of a subscriber: what is published meanwhile is repaired, also when nothing comes after it", async () => {
    await Promise.all(
      threadOfEachPartition().map(async (threadId) => {
        const run = newRun({ threadId });
        const all = collect(await core.runs.follow(threadId, run.runId, "new"));
        await core.runs.enqueue(run);
        const claimed = await core.claim(threadId);
        await core.attempts.append(claimed, 1, numbered(5));
        if (partitionOf(threadId) === 0) await cutSubscribers();
        await core.attempts.finish(claimed, success, 6, []);
        expect((await all).map(({ id }) => id)).toEqual(idsTo(6));
      }),
    );
  }, 15_000);

  test("of commands to a node: what was asked is answered", async () => {
    const runs = threadOfEachPartition().map((threadId) => newRun({ threadId }));
    const accepted = runs.map((run) => core.runs.enqueue(run));
    await core.cluster.admins[0]?.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await Promise.all(accepted);
    await Promise.all(runs.map((run) => core.claim(run.threadId)));
  });
});
