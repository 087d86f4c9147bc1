/** A run that is rolled back leaves its thread as if it had never been accepted, whoever finishes the removal. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Checkpointer, createCheckpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { removalScripts } from "../../app/data/removal.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { scripts } from "../../app/runs/scripts.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { at, type Config, checkpointOf, loop, ours } from "../support/checkpoints.js";
import { type Core, collect, newRun, soon, startCore, success } from "../support/core.js";

let core: Core;
let saver: Checkpointer;
beforeAll(async () => {
  core = await startCore();
  saver = createCheckpointer(ours, core);
});
let threadId: string;
beforeEach(async () => {
  await core.admin.flushall();
  threadId = uuid();
});
afterAll(() => core.stop());

async function start(): Promise<ClaimedRun> {
  await core.runs.enqueue(newRun({ threadId }));
  return await core.claim(threadId);
}

const by = (run: ClaimedRun, more: Record<string, unknown> = {}) => at(threadId, { ...writtenBy(run), ...more });
const put = (config: Config, value: unknown) => saver.put(config, checkpointOf({ a: [value] }), loop, { a: 1 });
/** The configuration of a run that goes on from a checkpoint. */
const onFrom = (run: ClaimedRun, { configurable = {} }: Config, ns = "") =>
  by(run, { checkpoint_id: configurable.checkpoint_id, checkpoint_ns: ns });
const threadOf = () => core.redis.hgetall(core.keys.of(threadId, "thread", threadId));

/** All that is kept of the thread's checkpoints, but values: those go with the thread. */
async function history(): Promise<Record<string, unknown>> {
  const kept: Record<string, unknown> = {};
  for (const key of (await core.admin.keys("*")).sort()) {
    if (/:checkpoint:/.test(key)) kept[key] = fieldsOf(await core.admin.hgetallBuffer(key));
    if (/:(checkpoints|history):|:histories$/.test(key))
      kept[key] = await core.admin.zrange(key, "0", "-1", "WITHSCORES");
  }
  return kept;
}

const fieldsOf = (hash: Record<string, Buffer>) =>
  Object.fromEntries(Object.entries(hash).map(([field, bytes]) => [field, bytes.toString("latin1")]));

/** A first run that ended at two questions, one asked in a subgraph, and was answered. */
async function askedThread(): Promise<Config> {
  const run = await start();
  const first = await put(by(run), "first");
  const head = await put(first, "head");
  const sub = await put(by(run, { checkpoint_ns: "sub:1" }), "in the subgraph");
  await saver.putWrites(sub, [["__interrupt__", "where?"]], "inner");
  await saver.putWrites(head, [["__interrupt__", "who?"]], "asking");
  await saver.putWrites(head, [["a", "done"]], "beside");
  await core.attempts.finish(run, success, 1, []);
  return head;
}

async function expectAsBefore(before: Record<string, unknown>): Promise<void> {
  await soon(async () => expect(await threadOf()).toMatchObject({ active: "" }));
  expect(await history()).toEqual(before);
  expect((await core.admin.keys("*")).filter((key) => /:(trail|removals|named):?/.test(key))).toEqual([]);
  expect(await threadOf()).toMatchObject({ status: "idle", open: "0", values: success.state.values });
}

describe("rolling back a running run", () => {
  test("removes its checkpoints of the graph and its subgraphs, and the head is where it started from", async () => {
    const head = await askedThread();
    const before = await history();
    const run = await start();
    await saver.putWrites(onFrom(run, head), [["__resume__", "me"]], "asking");
    await saver.putWrites(onFrom(run, head), [["a", "finished"]], "another task");
    const sub = await put(by(run, { checkpoint_ns: "sub:2" }), "its own subgraph");
    await put(sub, "and on");
    const root = await put(onFrom(run, head), "second");
    await saver.putWrites(root, [["a", 1]], "task");
    await put(root, "third");

    await core.runs.cancel(threadId, run.runId, "rollback");
    await core.runs.removed(threadId, run.runId);
    await expectAsBefore(before);
    expect((await saver.getTuple(at(threadId)))?.config.configurable?.checkpoint_id).toBe(
      head.configurable?.checkpoint_id,
    );
    expect(await core.runs.get(threadId, run.runId)).toBeUndefined();
  });

  test("gives back the answers and questions that its own replaced, also where it stored no checkpoint", async () => {
    const head = await askedThread();
    const answering = await start();
    await saver.putWrites(onFrom(answering, head), [["__resume__", ["me"]]], "asking");
    await saver.putWrites(onFrom(answering, head), [["__interrupt__", "when?"]], "asking");
    await core.attempts.finish(answering, success, 1, []);
    const before = await history();

    const run = await start();
    await saver.putWrites(onFrom(run, head), [["__resume__", ["me", "now"]]], "asking");
    await saver.putWrites(onFrom(run, head), [["__error__", "it failed"]], "asking");
    const { configurable } = (await saver.getTuple(at(threadId, { checkpoint_ns: "sub:1" })))?.config ?? {};
    await saver.putWrites(
      onFrom(run, { configurable: configurable ?? {} }, "sub:1"),
      [["__resume__", "here"]],
      "inner",
    );
    await saver.putWrites(by(run, { checkpoint_id: uuid() }), [["a", "before its checkpoint"]], "task");
    await core.runs.cancel(threadId, run.runId, "rollback");
    await core.runs.removed(threadId, run.runId);
    await expectAsBefore(before);
  });

  test("takes what all of its attempts stored", async () => {
    const head = await askedThread();
    const before = await history();
    const first = await start();
    const stored = await put(onFrom(first, head), "of the first attempt");
    await core.attempts.release(first);
    const second = await core.claim(threadId);
    await put(onFrom(second, stored), "of the second");
    await core.attempts.release(second);
    // Pending again, but it had begun.
    await core.runs.cancel(threadId, first.runId, "rollback");
    await core.runs.removed(threadId, first.runId);
    await expectAsBefore(before);
  });

  test("of a thread's first run leaves no history at all", async () => {
    const run = await start();
    await put(await put(by(run), "first"), "x".repeat(5_000));
    await core.runs.cancel(threadId, run.runId, "rollback");
    await core.runs.removed(threadId, run.runId);
    expect(
      (await core.admin.keys("*"))
        .filter((key) => key.includes(threadId))
        .map(kindOf)
        .sort(),
    ).toEqual(["order", "runs", "thread"]);
    // By which the thread's stream finds the run's events, as long as they are kept.
    expect(await core.admin.pttl(core.keys.of(threadId, "order", threadId))).toBeGreaterThan(0);
    expect(await threadOf()).toMatchObject({ status: "idle", values: "null", open: "0", active: "" });
  });

  test("is told to its followers by a clean end, and to its owner", async () => {
    const run = await start();
    const follow = await core.runs.follow(threadId, run.runId, "now");
    await core.runs.cancel(threadId, run.runId, "rollback");
    expect((await collect(follow)).map(({ event, data }) => [event, data])).toEqual([["end", "{}"]]);
    expect(await core.attempts.finish(run, success, 1, [])).toBe("lost");
    await expect(put(by(run), "too late")).rejects.toThrow("taken over");
  });
});

test("a thread is read by the graph that it had before", async () => {
  const other = newRun({ threadId, graphId: "other", assistantId: uuid() });
  await core.runs.enqueue(other);
  await core.runs.cancel(threadId, other.runId, "rollback");
  expect(await threadOf()).not.toHaveProperty("graph_id");
  await askedThread();
  const { graph_id, assistant_id } = await threadOf();
  const again = { ...other, runId: uuid() };
  await core.runs.enqueue(again);
  expect(await threadOf()).toMatchObject({ graph_id: "other" });
  await core.runs.cancel(threadId, again.runId, "rollback");
  expect(await threadOf()).toMatchObject({ graph_id, assistant_id });
});

describe("while a run is being removed", () => {
  /** The fence alone, as a server that dies right after it leaves it. */
  const fence = (run: ClaimedRun) =>
    scripts.cancel.run(core.redis, core.keys.of(threadId, "run", run.runId), run.runId, threadId, "rollback", 700);

  test("nothing else starts or writes on the thread, and what waited starts after it", async () => {
    const head = await askedThread();
    const run = await start();
    await put(onFrom(run, head), "second");
    const next = newRun({ threadId });
    await core.runs.enqueue(next);
    expect(await fence(run)).toBe("removing");
    const late = newRun({ threadId, strategy: "interrupt" });
    await core.runs.enqueue(late);
    expect((await core.attempts.claim(partitionOf(threadId), ["echo"], 5, 1_000)).runs).toEqual([]);
    expect(await threadOf()).toMatchObject({ status: "busy", active: run.runId, open: "1" });
    await expect(put(onFrom(run, head), "too late")).rejects.toThrow("taken over");

    await core.removals.remove({ threadId, what: run.runId });
    expect((await core.claim(threadId)).runId).toBe(late.runId);
    expect((await core.runs.get(threadId, next.runId))?.status).toBe("interrupted");
  });

  test("a sweep finishes what a dead server left, wherever it had come to", async () => {
    const head = await askedThread();
    const before = await history();
    const run = await start();
    let last: Config = onFrom(run, head);
    for (let step = 0; step < 120; step++) last = await put(last, step);
    await fence(run);
    const key = core.keys.of(threadId, "history", threadId);
    expect(await removalScripts.undoRun.run(core.redis, key, threadId, threadId, run.runId, "-", 7)).toBe("[");
    // A living server's removal is left to it.
    await core.sweep();
    expect(await core.redis.zcard(core.keys.of(threadId, "removals"))).toBe(1);
    await soon(async () => {
      await core.sweep({ sweepMs: 1 });
      expect(await core.redis.exists(core.keys.of(threadId, "removals"))).toBe(0);
    });
    await expectAsBefore(before);
  });

  test("a removal that comes twice, or late, takes nothing of the runs after it", async () => {
    const run = await start();
    await put(by(run), "first");
    await fence(run);
    await Promise.all([
      core.removals.remove({ threadId, what: run.runId }),
      core.removals.remove({ threadId, what: run.runId }),
    ]);
    const next = await start();
    await put(by(next), "kept");
    await core.removals.remove({ threadId, what: run.runId });
    await core.removals.remove({ threadId, what: next.runId });
    expect((await saver.getTuple(at(threadId)))?.checkpoint.channel_values.a).toBe("kept");
    expect(await threadOf()).toMatchObject({ active: next.runId });
  });
});

const kindOf = (key: string) => key.replace(/^\{.*?\}:(\w+).*$/, "$1");
