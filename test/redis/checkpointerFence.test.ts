/** Who may write: only the attempt that owns its thread's active run; and what a takeover finds and undoes. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type Checkpointer,
  createCheckpointer,
  FencedError,
  whileUnchanged,
  writtenBy,
} from "../../app/data/checkpoints/checkpointer.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { at, type Config, checkpointOf, loop, ours } from "../support/checkpoints.js";
import { type Core, newRun, startCore, success } from "../support/core.js";

let core: Core;
let saver: Checkpointer;
beforeAll(async () => {
  core = await startCore();
  saver = createCheckpointer(ours, core);
});
afterAll(() => core.stop());

let threadId: string;
beforeEach(async () => {
  // A run that another test left ready could be claimed in place of ours.
  await core.admin.flushall();
  threadId = uuid();
});

/** A run of the thread, accepted and claimed. */
async function start(): Promise<ClaimedRun> {
  await core.runs.enqueue(newRun({ threadId }));
  return await core.claim(threadId);
}

/** The run's worker hands it back, and another one claims it. */
async function takeOver(run: ClaimedRun): Promise<ClaimedRun> {
  await core.attempts.release(run);
  return await core.claim(threadId);
}

const by = (run: ClaimedRun, more = {}) => at(threadId, { ...writtenBy(run), ...more });
const put = (config: Config, value: unknown) => saver.put(config, checkpointOf({ a: [value] }), loop, { a: 1 });
const stateOf = async () => (await saver.getTuple(at(threadId)))?.checkpoint.channel_values.a;

describe("an attempt", () => {
  test("writes while it owns the run, and with the configurations that its writes gave it", async () => {
    const run = await start();
    const config = await put(by(run), "first");
    await saver.putWrites(config, [["a", "second"]], "task");
    const tuple = await saver.getTuple(by(run));
    expect(tuple).toMatchObject({
      checkpoint: { channel_values: { a: "first" } },
      pendingWrites: [["task", "a", "second"]],
    });
    await put(tuple?.config ?? {}, "third");
    await takeOver(run);
    for (const derived of [config, tuple?.config ?? {}])
      await expect(put(derived, "too late")).rejects.toThrow(FencedError);
    expect(await stateOf()).toBe("third");
  });

  test("that was taken over changes nothing more, whatever it still does", async () => {
    const old = await start();
    const config = await put(by(old), "old");
    const run = await takeOver(old);
    await expect(put(by(old), "of the old attempt")).rejects.toThrow("taken over");
    await expect(saver.putWrites(config, [["a", "of the old attempt"]], "task")).rejects.toThrow(FencedError);
    await expect(saver.takeBack(old)).rejects.toThrow(FencedError);
    expect(await saver.getTuple(at(threadId))).toMatchObject({ pendingWrites: [] });
    expect(await stateOf()).toBe("old");
    await put(by(run), "new");
    expect(await stateOf()).toBe("new");
  });

  test("of a run that ended, or is not its thread's active one, is refused", async () => {
    const ended = await start();
    await core.attempts.finish(ended, success, 1, []);
    await expect(put(by(ended), "after the end")).rejects.toThrow(FencedError);
    const active = await start();
    const waiting = await core.runs.enqueue(newRun({ threadId }));
    await expect(put(by({ ...active, runId: waiting.runId }), "out of turn")).rejects.toThrow(FencedError);
    expect(await stateOf()).toBeUndefined();
    expect((await core.admin.keys("*")).filter((key) => key.includes("checkpoint") && key.includes(threadId))).toEqual(
      [],
    );
  });

  test("is not judged without its whole name", async () => {
    const run = await start();
    await expect(put(by(run, { run_id: undefined }), "whose?")).rejects.toThrow("needs run_id");
  });

  test("goes on when Redis is full, where a state update is refused", async () => {
    const run = await start();
    const config = await put(by(run), "before");
    await saver.putWrites(config, [["a", "before"]], "task");
    await core.admin.config("SET", "maxmemory", "1mb");
    try {
      await expect(put(at(threadId), "an update")).rejects.toThrow("OOM");
      await saver.putWrites(config, [["a", "full"]], "other task");
      await put(config, "x".repeat(10_000));
      expect(await stateOf()).toHaveLength(10_000);
      await saver.takeBack(run);
      await saver.deleteThread(threadId);
      expect(await stateOf()).toBeUndefined();
    } finally {
      await core.admin.config("SET", "maxmemory", "0");
    }
  });
});

describe("a state update", () => {
  const version = async () => {
    const thread = core.keys.of(threadId, "thread", threadId);
    const [by, seq, changes] = await core.redis.hmget(thread, "created_by", "seq", "changes");
    return `${by ?? ""}:${seq ?? ""}:${changes ?? "0"}`;
  };
  const update = async () => at(threadId, whileUnchanged(await version()));

  test("is refused while a run has the thread, after one had it, and where there is no thread", async () => {
    await expect(put(await update(), "nowhere")).rejects.toMatchObject({ reason: "thread_missing" });
    const run = await start();
    const before = await update();
    await expect(put(before, "meanwhile")).rejects.toMatchObject({ reason: "thread_busy" });
    const beside = { configurable: { ...before.configurable, checkpoint_id: uuid() } };
    await expect(saver.putWrites(beside, [["a", 1]], "task")).rejects.toMatchObject({ reason: "thread_busy" });
    await core.attempts.finish(run, success, 1, []);
    await expect(put(before, "of a state that is gone")).rejects.toThrow("changed meanwhile");
    const config = await put(await update(), "afterwards");
    expect(await stateOf()).toBe("afterwards");
    await start();
    await expect(put(config, "with what the update returned")).rejects.toMatchObject({ reason: "thread_busy" });
  });
});

describe("a takeover", () => {
  test("learns who stored the newest checkpoint and who wrote beside it", async () => {
    expect(await saver.newest(threadId)).toBeUndefined();
    const update = await put(at(threadId), "of a state update");
    const first = await start();
    await saver.putWrites({ configurable: { ...update.configurable, ...writtenBy(first) } }, [["a", 1]], "task");
    expect(await saver.newest(threadId)).toEqual({
      checkpointId: update.configurable?.checkpoint_id,
      writes: [{ taskId: "task", channel: "a", runId: first.runId, attempt: 1, owner: first.owner }],
    });
    const config = await put(by(first), "of the run");
    await put(by(first, { checkpoint_ns: "child" }), "of its subgraph");
    const second = await takeOver(first);
    await saver.putWrites(
      { configurable: { ...config.configurable, ...writtenBy(second) } },
      [["__error__", 1]],
      "task",
    );
    expect(await saver.newest(threadId)).toEqual({
      checkpointId: config.configurable?.checkpoint_id,
      ...{ runId: first.runId, attempt: 1, owner: first.owner },
      writes: [{ taskId: "task", channel: "__error__", runId: first.runId, attempt: 2, owner: second.owner }],
    });
  });

  /** A run that asked a question twice, in the root graph and in a subgraph, and ended; what its thread shows. */
  async function asked() {
    const run = await start();
    const [root, child] = [await put(by(run), "root"), await put(by(run, { checkpoint_ns: "child" }), "child")];
    for (const config of [root, child]) {
      await saver.putWrites(config, [["__interrupt__", "first question"]], "node");
      await saver.putWrites(config, [["__resume__", ["first answer"]]], "node");
    }
    await core.attempts.finish(run, success, 1, []);
    return [root, child].map(({ configurable }) => ({
      thread_id: threadId,
      checkpoint_ns: configurable?.checkpoint_ns,
      checkpoint_id: configurable?.checkpoint_id,
    }));
  }

  const shown = () =>
    Promise.all(["", "child", "child|grandchild"].map((ns) => saver.getTuple(at(threadId, { checkpoint_ns: ns }))));

  test("that starts the run again finds what was asked as the run found it, and what its tasks had done", async () => {
    const places = await asked();
    const before = await shown();
    const lost = await start();
    for (const place of places) {
      const beside = by(lost, place);
      await saver.putWrites(beside, [["__resume__", "second answer"]], "00000000-0000-0000-0000-000000000000");
      await saver.putWrites(beside, [["__resume__", ["first answer", "second answer"]]], "node");
      await saver.putWrites(beside, [["__interrupt__", "second question"]], "node");
      await saver.putWrites(
        beside,
        [
          ["__error__", "failed"],
          ["a", "done"],
        ],
        "other node",
      );
    }
    const child = await put(by(lost, places[1]), "further on");
    await saver.putWrites(child, [["a", "even further"]], "task");
    await put(by(lost, { checkpoint_ns: "child|grandchild" }), "below");
    expect(await shown()).not.toEqual(before);

    const run = await takeOver(lost);
    await saver.putWrites(by(run, places[0]), [["__resume__", ["first answer", "second answer"]]], "node");
    expect(await saver.takeBack(run)).toBe(10);
    const done = ["other node", "a", "done"];
    const after = before.map((tuple) => tuple && { ...tuple, pendingWrites: [...(tuple.pendingWrites ?? []), done] });
    expect(await shown()).toEqual(after);
    expect(await saver.takeBack(run)).toBe(0);
    const namespaces = await core.redis.zrange(core.keys.of(threadId, "history", threadId), "0", "-1");
    expect(namespaces).toEqual(["", "child"]);
  });

  test("undoes nothing of a run that has a checkpoint of its own to go on from", async () => {
    const [root] = await asked();
    const lost = await start();
    await saver.putWrites(by(lost, root), [["a", "done"]], "node");
    const config = await put(by(lost), "further on");
    await saver.putWrites(config, [["__interrupt__", "question"]], "node");
    await put(by(lost, { checkpoint_ns: "child" }), "below");
    const before = await shown();
    const run = await takeOver(lost);
    expect(await saver.takeBack(run)).toBe(0);
    expect(await shown()).toEqual(before);
  });

  test("undoes nothing of an earlier run that ended without a checkpoint of its own", async () => {
    const [root] = await asked();
    const earlier = await start();
    await saver.putWrites(by(earlier, root), [["a", "done"]], "node");
    await core.attempts.finish(earlier, success, 1, []);
    const before = await shown();
    expect(await saver.takeBack(await start())).toBe(0);
    expect(await shown()).toEqual(before);
  });
});
