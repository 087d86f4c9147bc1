/** Deleting threads and runs: nothing is left, whoever finishes it, and nothing comes back. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Checkpointer, createCheckpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { Threads } from "../../app/data/threads.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { scripts } from "../../app/runs/scripts.js";
import type { ClaimedRun, NewRun } from "../../app/runs/types.js";
import { at, type Config, checkpointOf, loop, ours } from "../support/checkpoints.js";
import { type Core, collect, newRun, soon, startCore, success } from "../support/core.js";

let core: Core;
let saver: Checkpointer;
let threads: Threads;
beforeAll(async () => {
  core = await startCore();
  saver = createCheckpointer(ours, core);
  threads = new Threads(core.redis, core.keys);
});
let threadId: string;
beforeEach(async () => {
  await core.admin.flushall();
  threadId = uuid();
});
afterAll(() => core.stop());

const put = (config: Config, value: unknown) => saver.put(config, checkpointOf({ a: [value] }), loop, { a: 1 });
const by = (run: ClaimedRun, more = {}) => at(threadId, { ...writtenBy(run), ...more });
const headOf = async () => (await saver.getTuple(at(threadId)))?.checkpoint.channel_values.a;
/** Keys that all threads share. */
const SHARED = /:(swept|graphs|wake:\w+)$/;
const keysLeft = async () => (await core.admin.keys("*")).filter((key) => !SHARED.test(key));

async function accept(given: Partial<NewRun> = {}): Promise<NewRun> {
  const run = newRun({ threadId, ...given });
  await core.runs.enqueue(run);
  return run;
}

/** A run that stored a checkpoint and ended. */
async function ended(value: unknown): Promise<ClaimedRun> {
  await accept();
  const run = await core.claim(threadId);
  const before = (await saver.getTuple(at(threadId)))?.config.configurable?.checkpoint_id;
  await put(by(run, before && { checkpoint_id: before }), value);
  await core.attempts.finish(run, success, 1, []);
  return run;
}

describe("deleting a thread", () => {
  test("leaves no key, with runs in every state and a history", async () => {
    await threads.create({ threadId, metadata: {}, ttl: { strategy: "delete", ms: 60_000 } });
    await ended("x".repeat(5_000));
    await accept({ idIsGiven: true });
    const running = await core.claim(threadId);
    await put(by(running, { checkpoint_ns: "sub:1" }), "in a subgraph");
    await saver.putWrites(by(running, { checkpoint_id: uuid() }), [["a", 1]], "task");
    await core.runs.cancel(threadId, running.runId);
    await accept();
    await accept({ afterMs: 60_000 });
    const rolledBack = await accept({ idIsGiven: true });
    await core.runs.cancel(threadId, rolledBack.runId, "rollback");
    await accept();

    expect(await core.removals.deleteThread(threadId)).toBe(true);
    expect(await keysLeft()).toEqual([]);
    expect(await core.removals.deleteThread(threadId)).toBe(false);
  });

  test("ends its runs for those who follow them, and stops their owners", async () => {
    await accept();
    const running = await core.claim(threadId);
    const waiting = await accept();
    const follows = await Promise.all(
      [running.runId, waiting.runId].map((id) => core.runs.follow(threadId, id, "now")),
    );
    await core.removals.deleteThread(threadId);
    for (const follow of follows) expect(await collect(follow)).toMatchObject([{ event: "end", data: "{}" }]);
    expect(await core.attempts.append(running, 1, [{ event: "values", data: "{}" }])).toBe("lost");
    expect(await core.attempts.finish(running, success, 1, [])).toBe("lost");
    expect(await core.attempts.release(running)).toBe("lost");
    expect(await core.attempts.heartbeat(partitionOf(threadId), [running], 1_000)).toEqual([
      { owner: running.owner, word: "lost" },
    ]);
    await expect(put(by(running), "too late")).rejects.toThrow("taken over");
    await core.sweep();
    expect(await keysLeft()).toEqual([]);
  });

  /** The first step alone, as a server that dies right after it leaves it. */
  const fence = () =>
    scripts.deleteThread.run(core.redis, core.keys.of(threadId, "thread", threadId), threadId, 1, "delete");

  test("refuses what comes meanwhile, and a sweep finishes what a dead server left", async () => {
    await ended("first");
    await accept();
    const running = await core.claim(threadId, 1);
    await core.runs.cancel(threadId, running.runId);
    const late = await accept();
    await accept({ afterMs: 30 });
    expect((await fence()) as string[]).toContain("more");
    expect(await scripts.overrule.run(core.redis, core.keys.of(threadId, "run", running.runId), running.runId)).toBe(
      "not_needed",
    );
    await scripts.sweep.run(core.redis, core.keys.of(threadId, "leases"), 30_000, 60_000, 3, 100);

    for (const ifNotExists of ["create", "reject"] as const)
      await expect(accept({ ifNotExists })).rejects.toMatchObject({ reason: "thread_deleting" });
    await expect(threads.create({ threadId, metadata: {} })).rejects.toMatchObject({ reason: "thread_deleting" });
    await expect(core.runs.cancel(threadId, late.runId)).rejects.toMatchObject({ reason: "run_missing" });
    expect(await threads.get(threadId)).toBeUndefined();

    const claimed: ClaimedRun[] = [];
    await soon(async () => {
      const answer = await core.attempts.claim(partitionOf(threadId), ["echo"], 5, 30_000);
      claimed.push(...answer.runs);
      // The delayed run has come due.
      expect(await core.redis.zcard(core.keys.of(threadId, "delayed"))).toBe(0);
    });
    expect(claimed).toEqual([]);
    await soon(async () => {
      await core.sweep({ sweepMs: 1 });
      expect(await keysLeft()).toEqual([]);
    });
    expect((await threads.create({ threadId, metadata: {} })).created).toBe(true);
  });

  test("that comes late takes nothing of a new thread with its id", async () => {
    await ended("first");
    await core.removals.deleteThread(threadId);
    const run = await ended("second");
    await core.removals.remove({ threadId, what: undefined });
    expect(await headOf()).toBe("second");
    expect(await core.runs.get(threadId, run.runId)).toMatchObject({ status: "success" });
  });

  test("that comes late does not end another one of the same id", async () => {
    await ended("first");
    await fence();
    await core.removals.remove({ threadId, what: undefined });
    await ended("second");
    await fence();
    await scripts.forgetThread.run(core.redis, core.keys.of(threadId, "removals"), threadId);
    await core.sweep({ sweepMs: 0 });
    await soon(async () => {
      await core.sweep({ sweepMs: 1 });
      expect(await keysLeft()).toEqual([]);
    });
  });

  test("that is being rolled back needs the rollback no more", async () => {
    await ended("first");
    await accept();
    const running = await core.claim(threadId);
    const runKey = core.keys.of(threadId, "run", running.runId);
    await scripts.cancel.run(core.redis, runKey, running.runId, threadId, "rollback", 700);
    await core.removals.deleteThread(threadId);
    expect(await keysLeft()).toEqual([]);
    await core.removals.remove({ threadId, what: running.runId });
    expect(await keysLeft()).toEqual([]);
  });
});

describe("deleting a run", () => {
  test("that is open rolls it back", async () => {
    await ended("before");
    await accept();
    const running = await core.claim(threadId);
    await put(by(running), "of the run");
    expect(await core.removals.deleteRun(threadId, running.runId)).toBe(true);
    expect(await headOf()).toBe("before");
    expect(await core.runs.get(threadId, running.runId)).toBeUndefined();
    expect(await threads.get(threadId)).toMatchObject({ status: "idle" });
  });

  test("that ended last takes its checkpoints along; those of an earlier one stay, for what was built on them", async () => {
    const [first, second, third] = [await ended("first"), await ended("second"), await ended("third")];
    expect(await core.removals.deleteRun(threadId, third.runId)).toBe(true);
    expect(await headOf()).toBe("second");
    expect(await core.removals.deleteRun(threadId, first.runId)).toBe(true);
    expect(await headOf()).toBe("second");
    expect((await core.runs.list(threadId, { limit: 10, offset: 0 })).map(({ runId }) => runId)).toEqual([
      second.runId,
    ]);
    const left = await keysLeft();
    for (const { runId } of [first, third]) expect(left.filter((key) => key.includes(runId))).toEqual([]);
    expect(await core.removals.deleteRun(threadId, first.runId)).toBe(false);
    expect(await core.removals.deleteRun(uuid(), second.runId)).toBe(false);
  });

  test("that ended last keeps its checkpoints while another one runs on them", async () => {
    const first = await ended("first");
    await accept();
    const running = await core.claim(threadId);
    await core.removals.deleteRun(threadId, first.runId);
    expect(await headOf()).toBe("first");
    expect(await core.attempts.append(running, 1, [{ event: "values", data: "{}" }])).toBe("kept");
  });
});

describe("cancelling many", () => {
  const statuses = async (runs: NewRun[]) =>
    Promise.all(runs.map(async (run) => (await core.runs.get(run.threadId, run.runId))?.status));

  test("finds pending, delayed, waiting and running runs in all partitions", async () => {
    const many = Array.from({ length: 40 }, () => newRun());
    const behind = many.map(({ threadId: thread }) => newRun({ threadId: thread }));
    const delayed = Array.from({ length: 10 }, () => newRun({ afterMs: 60_000 }));
    for (const run of [...many, ...behind, ...delayed]) await core.runs.enqueue(run);
    const [running] = many;
    if (!running) expect.fail();
    const { runs } = await core.attempts.claim(partitionOf(running.threadId), ["echo"], 40, 30_000);
    await core.runs.cancelAll("pending", "interrupt");
    const isRunning = new Set(runs.map(({ runId }) => runId));
    expect(await statuses(many)).toEqual(many.map(({ runId }) => (isRunning.has(runId) ? "running" : "interrupted")));
    expect(new Set(await statuses([...behind, ...delayed]))).toEqual(new Set(["interrupted"]));

    await core.runs.cancelAll("running", "rollback");
    for (const { threadId: thread, runId } of runs) expect(await core.runs.get(thread, runId)).toBeUndefined();
  });

  test("more than one call lists, behind one run, and again where all was cancelled before", async () => {
    await accept();
    const running = await core.claim(threadId);
    const waiting: NewRun[] = [];
    for (let count = 0; count < 130; count++) waiting.push(await accept());
    await core.runs.cancelAll("all", "interrupt");
    await core.runs.cancelAll("all", "interrupt");
    expect(new Set(await statuses(waiting))).toEqual(new Set(["interrupted"]));
    expect(await core.attempts.append(running, 1, [{ event: "values", data: "{}" }])).toBe("interrupt");
  });

  test("leaves alone what a dead server was deleting", async () => {
    for (let count = 0; count < 60; count++) await accept({ afterMs: 60_000 });
    await scripts.deleteThread.run(core.redis, core.keys.of(threadId, "thread", threadId), threadId, 10, "delete");
    const other = await accept({ threadId: uuid() });
    await core.runs.cancelAll("all", "interrupt");
    expect(await statuses([other])).toEqual(["interrupted"]);
  });

  test("of one thread cancels none when one of them is unknown", async () => {
    const [first, second] = [await accept(), await accept()];
    const ids = [first.runId, second.runId];
    await expect(core.runs.cancelThese(threadId, [...ids, uuid()], "interrupt")).rejects.toMatchObject({
      reason: "run_missing",
    });
    expect(await statuses([first, second])).toEqual(["pending", "pending"]);
    await core.runs.cancelThese(threadId, ids, "interrupt");
    expect(await statuses([first, second])).toEqual(["interrupted", "interrupted"]);
    await core.runs.cancelThese(threadId, ids, "rollback");
    expect(await statuses([first, second])).toEqual(["interrupted", "interrupted"]);
  });
});
