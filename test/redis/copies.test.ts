/** Copies of threads on the scripts: what they cost, what they see of real graphs, and what is left when they go. */
import * as langgraph from "@langchain/langgraph";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Checkpointer, createCheckpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { Copies } from "../../app/data/copies.js";
import { removalScripts } from "../../app/data/removal.js";
import { Threads } from "../../app/data/threads.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { scripts } from "../../app/runs/scripts.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { all, counter, type Durability, interview, type TestGraph, transcript } from "../support/checkpointGraphs.js";
import { at, type Config, checkpointOf, commands, loop, ours } from "../support/checkpoints.js";
import { type Core, newRun, soon, startCore, success } from "../support/core.js";

const { Command } = langgraph;

let core: Core;
let saver: Checkpointer;
let copies: Copies;
let threads: Threads;
beforeAll(async () => {
  core = await startCore();
  saver = createCheckpointer(ours, core);
  copies = new Copies(core);
  threads = new Threads(core.redis, core.keys);
});
let source: string;
beforeEach(async () => {
  await core.admin.flushall();
  source = uuid();
});
afterAll(() => core.stop());

const keyOf = (kind: string, ...ids: string[]) => core.keys.of(source, kind, ...ids);
const bytes = (letter: string) => letter.repeat(5_000);
const SHARED = /:(swept|graphs|wake:\w+)$/;
const keysLeft = async () => (await core.admin.keys("*")).filter((key) => !SHARED.test(key));
const headOf = async (threadId: string) => (await saver.getTuple(at(threadId)))?.checkpoint.channel_values.a;

async function copyOf(threadId: string): Promise<string> {
  return (await copies.copy(threadId)) ?? expect.fail(`thread ${threadId} does not exist`);
}

async function start(threadId: string): Promise<ClaimedRun> {
  await core.runs.enqueue(newRun({ threadId }));
  return await core.claim(threadId);
}

/** A run that stores one checkpoint a value, each on the one before, and ends. */
async function ran(threadId: string, ...values: unknown[]): Promise<ClaimedRun> {
  const run = await start(threadId);
  let head = (await saver.getTuple(at(threadId)))?.config.configurable?.checkpoint_id;
  for (const value of values) {
    const config: Config = at(threadId, { ...writtenBy(run), ...(head && { checkpoint_id: head }) });
    head = (await saver.put(config, checkpointOf({ a: [value] }), loop, { a: 1 })).configurable?.checkpoint_id;
  }
  await core.attempts.finish(run, success, 1, []);
  return run;
}

describe("a copy costs the same", () => {
  test("of a thread with 1 and with 500 checkpoints, to make, to read and to write on", async () => {
    const long = uuid();
    await ran(source, bytes("a"));
    await ran(long, ...Array.from({ length: 500 }, (_, step) => bytes(`${step} `)));
    await copyOf(long);
    const made: string[] = [];
    const cost = async (threadId: string) => [
      await commands(core, async () => made.push(await copyOf(threadId))),
      await commands(core, () => saver.getTuple(at(made.at(-1) ?? ""))),
      await commands(core, () => ran(made.at(-1) ?? "", bytes("b"))),
    ];
    await cost(source);
    expect(await cost(long)).toEqual(await cost(source));
  });

  test("in memory: a few small keys, whatever the values", async () => {
    await ran(source, ...Array.from({ length: 100 }, (_, step) => bytes(`${step} `)));
    const before = new Set(await core.admin.keys("*"));
    await copyOf(source);
    const added = (await core.admin.keys("*")).filter((key) => !before.has(key));
    const sizes = await Promise.all(added.map((key) => core.admin.memory("USAGE", key)));
    expect(added.length).toBeLessThanOrEqual(6);
    expect(sizes.reduce((sum: number, size) => sum + Number(size), 0)).toBeLessThan(4_000);
  });

  test("a copy of a copy that nothing has run on stands on the same history", async () => {
    await ran(source, "a");
    let last = source;
    for (let turn = 0; turn < 5; turn++) last = await copyOf(last);
    expect(await core.redis.hget(keyOf("layer", last), "base")).toBe(source);
    expect(await core.redis.hget(keyOf("layer", last), "depth")).toBe("1");
    expect(await headOf(last)).toBe("a");
  });

  test("copies of copies are read through, down to a depth at which a copy is refused until it is pruned", async () => {
    await ran(source, 0);
    let last = source;
    for (let depth = 1; depth <= 20; depth++) {
      last = await copyOf(last);
      await ran(last, depth);
    }
    const tuples = await all(saver.list(at(last)));
    expect(tuples.map(({ checkpoint }) => checkpoint.channel_values.a)).toEqual(
      Array.from({ length: 21 }, (_, at) => 20 - at),
    );
    await core.redis.hset(keyOf("layer", last), "depth", 256);
    const before = await core.admin.dbsize();
    await expect(copies.copy(last)).rejects.toMatchObject({ reason: "copied_too_often" });
    expect(await core.admin.dbsize()).toBe(before);
    // As the refusal says.
    await core.removals.prune(last);
    expect(await headOf(await copyOf(last))).toBe(20);
  });
});

describe("graphs", () => {
  const graph = (make: typeof interview): TestGraph => make(langgraph, createCheckpointer(ours, core));
  const seen = (make: typeof interview, threadId: string) => transcript(graph(make), at(threadId));
  let durability: Durability = "async";
  async function run(make: typeof interview, threadId: string, input: unknown, from = {}): Promise<ClaimedRun> {
    const claimed = await start(threadId);
    await graph(make).invoke(input, { ...at(threadId, { ...writtenBy(claimed), ...from }), durability });
    return claimed;
  }
  const runToEnd = async (...args: Parameters<typeof run>) => core.attempts.finish(await run(...args), success, 1, []);
  const INTERVIEW = [{ topic: "trains" }, new Command({ resume: "Ada" }), new Command({ resume: "1843" })];

  test.each(["sync", "async", "exit"] as const)(
    "an interview (durability %s) that is copied at each question goes on, and rolls back, in the copy",
    async (given) => {
      durability = given;
      const alone = uuid();
      const expected: unknown[] = [];
      for (const input of INTERVIEW) {
        await runToEnd(interview, alone, input);
        expected.push(await seen(interview, alone));
      }
      let thread = source;
      for (const [step, input] of INTERVIEW.entries()) {
        await runToEnd(interview, thread, input);
        expect(await seen(interview, thread)).toEqual(expected[step]);
        const copy = await copyOf(thread);
        if (step > 0) await core.removals.deleteThread(thread);
        expect(await seen(interview, copy)).toEqual(expected[step]);
        const next = INTERVIEW[step + 1];
        if (next) {
          const { runId } = await run(interview, copy, next);
          await core.runs.cancel(copy, runId, "rollback");
          await core.runs.removed(copy, runId);
          expect(await seen(interview, copy)).toEqual(expected[step]);
        }
        thread = copy;
      }
    },
  );

  test("a channel that is stored as deltas is rebuilt over the border, and after the newest alone were to be kept", async () => {
    const alone = uuid();
    for (const threadId of [alone, source]) await runToEnd(counter, threadId, { count: 3 });
    const copy = await copyOf(source);
    await core.removals.deleteThread(source);
    for (const threadId of [alone, copy]) await runToEnd(counter, threadId, { count: 5 });
    expect(await seen(counter, copy)).toEqual(await seen(counter, alone));
    const { values } = await graph(counter).getState(at(copy));
    await core.removals.prune(copy);
    expect((await graph(counter).getState(at(copy))).values).toEqual(values);
    await core.removals.deleteThread(copy);
    await core.removals.deleteThread(alone);
    expect(await keysLeft()).toEqual([]);
  });

  test("a copy forks from each of its source's checkpoints as its source does", async () => {
    for (const input of INTERVIEW) await runToEnd(interview, source, input);
    const history = await all(graph(interview).getStateHistory(at(source)));
    for (const { config } of history.filter((_, index) => index % 3 === 0)) {
      const [one, two] = [await copyOf(source), await copyOf(source)];
      const from = { checkpoint_id: config.configurable?.checkpoint_id };
      await runToEnd(interview, one, null, from);
      await core.removals.prune(two);
      expect(await all(graph(interview).getStateHistory(at(two)))).toHaveLength(1);
      const again = await copyOf(source);
      await runToEnd(interview, again, null, from);
      expect(await seen(interview, again)).toEqual(await seen(interview, one));
    }
  });
});

describe("what is shared", () => {
  test("stays for the copy when its source goes, and goes with the copy", async () => {
    await ran(source, bytes("a"), bytes("b"));
    const copy = await copyOf(source);
    await ran(copy, bytes("c"));
    await core.removals.deleteThread(source);
    expect((await all(saver.list({ configurable: {} }))).map(({ config }) => config.configurable?.thread_id)).toEqual(
      Array(3).fill(copy),
    );
    await core.removals.deleteThread(copy);
    expect(await keysLeft()).toEqual([]);
  });

  test("is nothing of a new thread with the id of the deleted source, however often", async () => {
    const made: string[] = [];
    for (const value of ["first", "second", "third"]) {
      expect(await headOf(source)).toBeUndefined();
      await ran(source, value);
      made.push(await copyOf(source));
      await core.removals.deleteThread(source);
    }
    expect(await Promise.all(made.map(headOf))).toEqual(["first", "second", "third"]);
    const again = await threads.create({ threadId: source, metadata: {} });
    expect(again.created).toBe(true);
    await Promise.all([source, ...made].map((threadId) => core.removals.deleteThread(threadId)));
    expect(await keysLeft()).toEqual([]);
  });

  test("is cleared by a sweep where the process of the last deletion died", async () => {
    await ran(source, ...Array.from({ length: 30 }, (_, step) => step));
    const copy = await copyOf(source);
    await core.removals.deleteThread(source);
    await scripts.deleteThread.run(core.redis, keyOf("thread", copy), copy, 50, "delete");
    expect(await removalScripts.deleteHistory.run(core.redis, keyOf("history", copy), copy, 5, copy)).toBe(source);
    expect(await removalScripts.clearUnread.run(core.redis, keyOf("unread"), source, 5)).toBe(1);
    // A living process's is left to it.
    await core.sweep();
    expect(await core.redis.zcard(keyOf("unread"))).toBe(1);
    await soon(async () => {
      await core.sweep({ sweepMs: 1 });
      expect(await keysLeft()).toEqual([]);
    });
  });

  test("is not cleared for a last reader that has gone while another one came", async () => {
    await ran(source, "a");
    const run = await start(source);
    await saver.put(at(source, writtenBy(run)), checkpointOf({ a: ["gone"] }), loop, { a: 1 });
    const first = await copyOf(source);
    await core.runs.cancel(source, run.runId, "rollback");
    await core.runs.removed(source, run.runId);
    await scripts.deleteThread.run(core.redis, keyOf("thread", first), first, 50, "delete");
    await removalScripts.deleteHistory.run(core.redis, keyOf("history", first), first, 50, first);
    const second = await copyOf(source);
    await soon(async () => {
      await core.sweep({ sweepMs: 1 });
      expect(await core.redis.exists(keyOf("unread"))).toBe(0);
    });
    expect([await headOf(second), await headOf(source)]).toEqual(["a", "a"]);
    await Promise.all([source, second].map((threadId) => core.removals.deleteThread(threadId)));
    expect(await keysLeft()).toEqual([]);
  });

  test("goes when both are deleted at once, by several processes", async () => {
    await ran(source, bytes("a"));
    const family = [source, await copyOf(source), await copyOf(source)];
    family.push(await copyOf(family[1] ?? ""));
    await Promise.all([...family, ...family].map((threadId) => core.removals.deleteThread(threadId)));
    await soon(async () => {
      await core.sweep({ sweepMs: 1 });
      expect(await keysLeft()).toEqual([]);
    });
  });

  test("expires with the last of those that have the source's ttl", async () => {
    await threads.create({ threadId: source, metadata: {}, ttl: { strategy: "delete", ms: 60_000 } });
    await ran(source, bytes("a"));
    const copy = await copyOf(source);
    expect(await threads.get(copy)).toMatchObject({ ttl: { strategy: "delete", ms: 60_000 } });
    for (const threadId of [source, copy]) {
      await core.admin.hset(keyOf("thread", threadId), "updated_at", 1);
      await core.admin.zadd(keyOf("expiring"), 1, threadId);
      await core.sweep();
      expect(await threads.get(threadId)).toBeUndefined();
    }
    expect(await keysLeft()).toEqual([]);
  });
});

describe("of writes that replaced each other", () => {
  test("each copy sees the one that was there, also where it was taken back since", async () => {
    await ran(source, "a");
    const head = (await saver.getTuple(at(source)))?.config.configurable?.checkpoint_id;
    const answers = async (...threadIds: string[]) => {
      const tuples = await Promise.all(threadIds.map((threadId) => saver.getTuple(at(threadId))));
      return tuples.map((tuple) => tuple?.pendingWrites?.map(([, , value]) => value));
    };
    const answer = async (value: string) => {
      const run = await start(source);
      const config = at(source, { ...writtenBy(run), checkpoint_id: head });
      await saver.putWrites(config, [["__resume__", value]], "task");
      return run;
    };
    const [unanswered, first] = [await copyOf(source), await answer("one")];
    await core.attempts.finish(first, success, 1, []);
    const [one, second] = [await copyOf(source), await answer("two")];
    const two = await copyOf(source);
    const seen = [[], ["one"], ["two"]];
    expect(await answers(unanswered, one, two)).toEqual(seen);
    await core.runs.cancel(source, second.runId, "rollback");
    await core.runs.removed(source, second.runId);
    expect(await answers(unanswered, one, two)).toEqual(seen);
    expect(await answers(source, await copyOf(source))).toEqual([["one"], ["one"]]);
  });

  test("a copy's task that had written keeps its first write, as a thread's does", async () => {
    await ran(source, "a");
    const head = (await saver.getTuple(at(source)))?.config.configurable?.checkpoint_id;
    const writeOn = async (threadId: string, value: string) => {
      const run = await start(threadId);
      const config = at(threadId, { ...writtenBy(run), checkpoint_id: head });
      await saver.putWrites(config, [["a", value]], "task");
      await core.attempts.finish(run, success, 1, []);
    };
    await writeOn(source, "first");
    const copy = await copyOf(source);
    await writeOn(copy, "second");
    expect((await saver.getTuple(at(copy)))?.pendingWrites).toEqual([["task", "a", "first"]]);
  });
});

describe("keeping the newest alone", () => {
  test("on a source takes nothing from its copy, nor on a copy from its own", async () => {
    await ran(source, bytes("a"), bytes("b"));
    const copy = await copyOf(source);
    const [run] = [await start(copy)];
    const head = (await saver.getTuple(at(copy)))?.config.configurable?.checkpoint_id;
    await saver.putWrites(at(copy, { ...writtenBy(run), checkpoint_id: head }), [["a", bytes("w")]], "task");
    await core.attempts.finish(run, success, 1, []);
    const second = await copyOf(copy);
    const seen = async (threadId: string) => {
      const tuples = await all(saver.list({ configurable: { thread_id: threadId } }));
      return tuples.map(({ checkpoint, pendingWrites }) => [checkpoint.channel_values.a, pendingWrites]);
    };
    const written = ["task", "a", bytes("w")];
    await core.removals.prune(source);
    await core.removals.prune(copy);
    expect(await seen(source)).toEqual([[bytes("b"), []]]);
    expect(await seen(copy)).toEqual([[bytes("b"), [written]]]);
    expect(await seen(second)).toEqual([
      [bytes("b"), [written]],
      [bytes("a"), []],
    ]);
    const third = await copyOf(copy);
    await core.removals.deleteThread(source);
    await core.removals.deleteThread(second);
    expect([await seen(copy), await seen(third)]).toEqual([[[bytes("b"), [written]]], [[bytes("b"), [written]]]]);
    // What the copy stood on goes with the last one that reads the copy, whether it needed that or not.
    expect((await keysLeft()).filter((key) => key.includes(source))).not.toEqual([]);
    await core.removals.deleteThread(third);
    expect((await keysLeft()).filter((key) => !key.includes(copy) && key.includes(":checkpoint"))).toEqual([]);
    await core.removals.deleteThread(copy);
    expect(await keysLeft()).toEqual([]);
  });

  test("on a copy takes no write from its own copy that it made beside a checkpoint of its source", async () => {
    await ran(source, "a", "b");
    const older = (await all(saver.list(at(source)))).at(-1)?.config.configurable?.checkpoint_id;
    const copy = await copyOf(source);
    const run = await start(copy);
    const config = at(copy, { ...writtenBy(run), checkpoint_id: older });
    await saver.putWrites(config, [["__interrupt__", "sure?"]], "task");
    await saver.put(config, checkpointOf({ a: ["c"] }), loop, { a: 1 });
    await core.attempts.finish(run, success, 1, []);
    const second = await copyOf(copy);
    await core.removals.prune(copy);
    const seen = async (threadId: string) =>
      (await all(saver.list(at(threadId)))).map(({ checkpoint, pendingWrites }) => [
        checkpoint.channel_values.a,
        pendingWrites?.length,
      ]);
    expect(await seen(copy)).toEqual([["c", 0]]);
    const whole = [
      ["c", 0],
      ["b", 0],
      ["a", 1],
    ];
    expect(await seen(second)).toEqual(whole);
    await core.removals.deleteThread(copy);
    expect(await seen(second)).toEqual(whole);
    await Promise.all([source, second].map((threadId) => core.removals.deleteThread(threadId)));
    expect(await keysLeft()).toEqual([]);
  });

  test("is finished by a sweep, wherever its process died", async () => {
    const namespaces = ["", "sub:1", "sub:2", "sub:3"];
    const run = await start(source);
    for (const ns of namespaces)
      for (const value of [bytes("a"), bytes(`${ns} `)])
        await saver.put(at(source, { ...writtenBy(run), checkpoint_ns: ns }), checkpointOf({ a: [value] }), loop, {
          a: 1,
        });
    await core.attempts.finish(run, success, 1, []);
    for (let steps = 0; steps < 9; steps++) {
      const copy = await copyOf(source);
      await removalScripts.pruneNow.run(core.redis, keyOf("thread", copy), copy);
      let from = "-";
      for (let step = 0; step < steps && from !== ""; step++) {
        const pass = [copy, copy, "pass", from, 1];
        [from] = (await removalScripts.keepNewest.run(core.redis, keyOf("history", copy), ...pass)) as [string];
        // Who reads meanwhile finds each checkpoint once.
        const ids = (await all(saver.list({ configurable: { thread_id: copy } }))).map(
          ({ checkpoint }) => checkpoint.id,
        );
        expect(new Set(ids).size).toBe(ids.length);
      }
      await core.sweep({ sweepMs: -1 });
      const tuples = await all(saver.list({ configurable: { thread_id: copy } }));
      expect(tuples.map(({ checkpoint }) => checkpoint.channel_values.a)).toEqual(
        namespaces.map((ns) => bytes(`${ns} `)),
      );
      expect(await core.redis.hget(keyOf("layer", copy), "base")).toBeNull();
    }
  });
});

describe("while something of the source is being removed", () => {
  test("a copy waits for the end of a rollback that a dead process left, and has nothing of it", async () => {
    await ran(source, "before");
    const run = await start(source);
    const head = (await saver.getTuple(at(source)))?.config.configurable;
    let last: Config = at(source, { ...writtenBy(run), checkpoint_id: head?.checkpoint_id });
    for (let step = 0; step < 5; step++) last = await saver.put(last, checkpointOf({ a: [step] }), loop, { a: 1 });
    await scripts.cancel.run(core.redis, keyOf("run", run.runId), run.runId, source, "rollback", 700);
    expect(await headOf(await copyOf(source))).toBe("before");
  });

  test("of a thread that is being deleted, or does not exist, there is no copy", async () => {
    await ran(source, "a");
    await scripts.deleteThread.run(core.redis, keyOf("thread", source), source, 1, "delete");
    expect(await copies.copy(source)).toBeUndefined();
    expect(await copies.copy(uuid())).toBeUndefined();
  });
});

test("a run on a copy is claimed, taken over and given back as on any thread", async () => {
  await ran(source, "a");
  const copy = await copyOf(source);
  const lost = await start(copy);
  const head = (await saver.getTuple(at(copy)))?.config.configurable;
  const config = at(copy, { ...writtenBy(lost), checkpoint_id: head?.checkpoint_id });
  await saver.putWrites(config, [["__resume__", "an answer"]], "task");
  expect(await saver.newest(copy)).toMatchObject({ writes: [{ channel: "__resume__", runId: lost.runId }] });
  await core.attempts.release(lost);
  const { runs } = await core.attempts.claim(partitionOf(copy), ["echo"], 1, 30_000);
  const [run] = runs;
  if (!run) expect.fail("the copy has no ready run");
  expect(await saver.takeBack(run)).toBe(1);
  expect(await saver.newest(copy)).toMatchObject({ writes: [] });
  await expect(saver.putWrites(config, [["a", 1]], "task")).rejects.toThrow("taken over");
});
