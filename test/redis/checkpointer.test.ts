/** What is stored, what is sent and how often Redis is asked. */
import { TASKS, uuid6 } from "@langchain/langgraph-checkpoint";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Checkpointer, createCheckpointer } from "../../app/data/checkpoints/checkpointer.js";
import { connect } from "../../app/redis/connect.js";
import { at, type Config, checkpointOf, commands, loop, ours, roundTrips, traffic } from "../support/checkpoints.js";
import { type Core, silent, startCore } from "../support/core.js";

let core: Core;
let saver: Checkpointer;
beforeAll(async () => {
  core = await startCore();
  saver = createCheckpointer(ours, core);
  // Scripts are sent whole the first time.
  const config = await saver.put(at(uuid()), checkpointOf({}), loop, {});
  await saver.putWrites(config, [["a", 1]], "task");
  await saver.getTuple(config);
  await saver.getDeltaChannelHistory({ config, channels: ["a"] });
  await saver.newest(uuid());
  await saver.deleteThread(uuid());
});
afterAll(() => core.stop());

const big = (seed: string) => seed.repeat(100_000);
const blobsOf = (threadId: string) => core.redis.hlen(core.keys.of(threadId, "blobs", threadId));
const versions = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 1]));

/** A chain of checkpoints, each changing only `step`. */
async function chain(threadId: string, length: number) {
  let config: Config = at(threadId);
  const ids: string[] = [];
  for (let step = 1; step <= length; step++) {
    const checkpoint = checkpointOf({ history: ["hello", 1], step: [step, step] }, uuid6(step));
    const changed: Record<string, number> = step === 1 ? { history: 1, step } : { step };
    config = await saver.put(config, checkpoint, { ...loop, step }, changed);
    await saver.putWrites(
      config,
      [
        ["step", step + 1],
        ["delta", step],
      ],
      `task-${step}`,
    );
    ids.push(checkpoint.id);
  }
  return ids;
}

describe("how often Redis is asked", () => {
  test("once to put, to put writes, to get with values and writes, and to look for the newest", async () => {
    const threadId = uuid();
    const checkpoint = checkpointOf({ a: [big("a")], b: [big("b")] });
    const config = at(threadId, { checkpoint_id: checkpoint.id });
    expect(await roundTrips(core, () => saver.put(at(threadId), checkpoint, loop, versions("a", "b")))).toBe(1);
    expect(await roundTrips(core, () => saver.putWrites(config, [["a", big("c")]], "task"))).toBe(1);
    expect(await roundTrips(core, () => saver.getTuple(config))).toBe(1);
    expect(await roundTrips(core, () => saver.getTuple(at(threadId)))).toBe(1);
    expect(await roundTrips(core, () => saver.newest(threadId))).toBe(1);
    expect(await saver.getTuple(at(threadId))).toMatchObject({
      checkpoint: { channel_values: { a: big("a"), b: big("b") } },
      pendingWrites: [["task", "a", big("c")]],
    });
  });

  test("a page at a time for a list, with a filter too", async () => {
    const threadId = uuid();
    const ids = await chain(threadId, 120);
    const listed: string[] = [];
    const trips = await roundTrips(core, async () => {
      for await (const { checkpoint } of saver.list(at(threadId))) listed.push(checkpoint.id);
    });
    expect(listed).toEqual(ids.toReversed());
    expect(trips).toBe(3);
    const first = async () => {
      for await (const _ of saver.list(at(threadId), { limit: 1 })) break;
    };
    expect(await roundTrips(core, first)).toBe(1);
    const filtered = async () => {
      for await (const { checkpoint } of saver.list(at(threadId), { limit: 1, filter: { step: 2 } }))
        expect(checkpoint.id).toBe(ids[1]);
    };
    expect(await roundTrips(core, filtered)).toBe(3);
  });

  test("a page at a time for the writes of a chain of ancestors, up to the first that has a value", async () => {
    const threadId = uuid();
    await chain(threadId, 450);
    const ask = (...channels: string[]) => saver.getDeltaChannelHistory({ config: at(threadId), channels });
    expect(await roundTrips(core, () => ask("delta", "step"))).toBe(3);
    const { delta, step } = await ask("delta", "step");
    expect(delta?.writes.map(([, , value]) => value)).toEqual(Array.from({ length: 449 }, (_, index) => index + 1));
    expect(delta).not.toHaveProperty("seed");
    expect(step).toEqual({ seed: 449, writes: [["task-449", "step", 450]] });
    expect(await commands(core, () => ask("step"))).toMatchObject({ hgetall: 1 });
  });

  test("a list of large states comes in pages bounded by bytes, whole all the same", async () => {
    const threadId = uuid();
    let config: Config = at(threadId);
    for (let step = 1; step <= 8; step++)
      config = await saver.put(config, checkpointOf({ a: [step + big("abcd"), step] }), loop, { a: step });
    const firsts: unknown[] = [];
    const trips = await roundTrips(core, async () => {
      for await (const { checkpoint } of saver.list(at(threadId))) firsts.push(checkpoint.channel_values.a);
    });
    expect(firsts).toEqual([8, 7, 6, 5, 4, 3, 2, 1].map((step) => step + big("abcd")));
    expect(trips).toBe(3);
  });

  test("getting the newest of 2,000 checkpoints costs what it costs with one", async () => {
    const [short, long] = [uuid(), uuid()];
    await chain(short, 1);
    await chain(long, 2000);
    const get = (threadId: string) => async () => {
      expect(await saver.getTuple(at(threadId))).toMatchObject({
        checkpoint: { channel_values: { history: "hello" } },
      });
    };
    expect(await commands(core, get(long))).toEqual(await commands(core, get(short)));
    const [few, many] = [await traffic(core, get(short)), await traffic(core, get(long))];
    // The parent's id, and longer numbers.
    expect(many.received - few.received).toBeLessThan(100);
    const put = (threadId: string) => async () => {
      const parent = await saver.getTuple(at(threadId));
      const step = checkpointOf({ history: ["hello", 1], step: ["new", 9999] });
      await saver.put(parent?.config ?? {}, step, loop, { step: 9999 });
    };
    expect(await commands(core, put(long))).toEqual(await commands(core, put(short)));
  });
});

describe("what is sent and stored", () => {
  test("an unchanged channel is neither sent nor stored again, and comes back all the same", async () => {
    const threadId = uuid();
    const first = await saver.put(at(threadId), checkpointOf({ a: [big("a")], n: [0] }), loop, versions("a", "n"));
    const before = await core.admin.call("MEMORY", "USAGE", core.keys.of(threadId, "blobs", threadId), "SAMPLES", "0");
    const second = checkpointOf({ a: [big("a"), 1], n: [1, 2] });
    const { sent } = await traffic(core, () => saver.put(first, second, loop, { n: 2 }));
    expect(sent).toBeLessThan(1000);
    expect(await core.admin.call("MEMORY", "USAGE", core.keys.of(threadId, "blobs", threadId), "SAMPLES", "0")).toBe(
      before,
    );
    const tuple = await saver.getTuple(at(threadId));
    expect(tuple?.checkpoint.channel_values).toEqual({ a: big("a"), n: 1 });
  });

  test("content is stored once, whichever channels, writes and checkpoints hold it", async () => {
    const threadId = uuid();
    const text = big("same");
    const { sent } = await traffic(core, async () => {
      const config = await saver.put(at(threadId), checkpointOf({ a: [text], b: [text] }), loop, versions("a", "b"));
      await saver.put(config, checkpointOf({ a: [text, 2], b: [text, 2] }), loop, { a: 2, b: 2 });
    });
    expect(await blobsOf(threadId)).toBe(1);
    expect(sent).toBeLessThan(2.1 * text.length);
    await saver.putWrites(
      at(threadId, { checkpoint_id: "later" }),
      [
        ["c", text],
        ["d", text],
      ],
      "task",
    );
    expect(await blobsOf(threadId)).toBe(1);
  });

  test("a value that is changed back is a reference to the content of old", async () => {
    const threadId = uuid();
    let config: Config = at(threadId);
    for (const [step, text] of ["one", "two", "one"].entries())
      config = await saver.put(config, checkpointOf({ a: [big(text), step] }), loop, { a: step });
    expect(await blobsOf(threadId)).toBe(2);
    expect((await saver.getTuple(config))?.checkpoint.channel_values).toEqual({ a: big("one") });
  });

  test("bytes come back as they were: in a channel, inside a value, in a write, empty ones too", async () => {
    const threadId = uuid();
    const every = Uint8Array.from({ length: 1024 }, (_, index) => index % 256);
    const values = { all: every, none: new Uint8Array(), nested: { bytes: every }, zero: new Uint8Array(1) };
    const channels = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value] as [unknown]]));
    const config = await saver.put(at(threadId), checkpointOf(channels), loop, versions(...Object.keys(values)));
    await saver.putWrites(
      config,
      [
        ["all", every],
        ["lone \u0000 é 🚂", "null\u0000byte"],
      ],
      "task\u0000é",
    );
    const tuple = await saver.getTuple(at(threadId));
    expect(tuple?.checkpoint.channel_values).toStrictEqual(values);
    expect(tuple?.pendingWrites).toStrictEqual([
      ["task\u0000é", "all", every],
      ["task\u0000é", "lone \u0000 é 🚂", "null\u0000byte"],
    ]);
  });

  test("a value that the graph changes in place while it is being stored is stored as it was", async () => {
    const threadId = uuid();
    const list = [big("a")];
    const checkpoint = checkpointOf({ list: [list] });
    const stored = saver.put(at(threadId), checkpoint, loop, versions("list"));
    list.push("later");
    const config = await stored;
    const written = saver.putWrites(config, [["list", list]], "task");
    list.push("later still");
    await written;
    const tuple = await saver.getTuple(config);
    expect(tuple?.checkpoint.channel_values.list).toEqual([big("a")]);
    expect(tuple?.pendingWrites).toEqual([["task", "list", [big("a"), "later"]]]);
  });

  test("where the parent is not there, or holds other versions, all values are sent", async () => {
    const threadId = uuid();
    const lost = at(threadId, { checkpoint_id: uuid6(0) });
    const orphan = checkpointOf({ a: [big("a")], n: [1, 2] });
    const config = await saver.put(lost, orphan, loop, { n: 2 });
    expect((await saver.getTuple(config))?.checkpoint.channel_values).toEqual({ a: big("a"), n: 1 });
    const copy = checkpointOf({ a: [big("b"), 7], n: [1, 2] });
    const copied = await saver.put(config, copy, { ...loop, source: "fork" }, {});
    expect((await saver.getTuple(copied))?.checkpoint.channel_values).toEqual({ a: big("b"), n: 1 });
    const copyOfFirst = await saver.put(
      at(threadId),
      checkpointOf({ a: [big("c"), 9] }),
      { ...loop, source: "fork" },
      {},
    );
    expect((await saver.getTuple(copyOfFirst))?.checkpoint.channel_values).toEqual({ a: big("c") });
  });
});

describe("writes", () => {
  test("of tasks that end together are all kept, in the order in which LangGraph applies them", async () => {
    const threadId = uuid();
    const config = await saver.put(at(threadId), checkpointOf({}), loop, {});
    const tasks = Array.from({ length: 100 }, (_, index) => `task-${String(index).padStart(3, "0")}`);
    const paths = tasks.map((_, index) => `~path ${String(99 - index).padStart(3, "0")}`);
    const writes = (task: string) =>
      [
        [TASKS, task],
        ["a", task],
      ] as [string, string][];
    await Promise.all(tasks.map((task, index) => saver.putWrites(config, writes(task), task, paths[index])));
    const tuple = await saver.getTuple(config);
    const expected = tasks
      .toReversed()
      .flatMap((task) => writes(task).map(([channel, value]) => [task, channel, value]));
    expect(tuple?.pendingWrites).toEqual(expected);
  });

  test("of a task stay as they were first stored; of LangGraph's own channels the latest counts", async () => {
    const config = await saver.put(at(uuid()), checkpointOf({}), loop, {});
    await saver.putWrites(
      config,
      [
        ["a", "first"],
        ["__interrupt__", "question 1"],
      ],
      "task",
    );
    await saver.putWrites(
      config,
      [
        ["a", "second"],
        ["__interrupt__", "question 2"],
      ],
      "task",
    );
    expect((await saver.getTuple(config))?.pendingWrites).toEqual([
      ["task", "__interrupt__", "question 2"],
      ["task", "a", "first"],
    ]);
  });

  test("that come before their checkpoint wait for it, and are no checkpoint", async () => {
    const threadId = uuid();
    const first = await saver.put(at(threadId), checkpointOf({ a: [1] }), loop, versions("a"));
    const checkpoint = checkpointOf({ a: [2, 2] });
    await saver.putWrites(at(threadId, { checkpoint_id: checkpoint.id }), [["a", 3]], "task");
    expect((await saver.getTuple(at(threadId)))?.checkpoint.channel_values).toEqual({ a: 1 });
    expect(await saver.getTuple(at(threadId, { checkpoint_id: checkpoint.id }))).toBeUndefined();
    await saver.put(first, checkpoint, loop, { a: 2 });
    expect(await saver.getTuple(at(threadId))).toMatchObject({
      checkpoint: { channel_values: { a: 2 } },
      pendingWrites: [["task", "a", 3]],
    });
  });
});

describe("the newest checkpoint", () => {
  test("is the one that came last, also from a worker whose clock is behind", async () => {
    const threadId = uuid();
    const late = checkpointOf({ a: ["of the fast clock"] }, "1f0ffff0-0000-6000-8000-000000000000");
    const early = checkpointOf({ a: ["of the slow clock", 2] }, "1f000000-0000-6000-8000-000000000000");
    const config = await saver.put(at(threadId), late, loop, versions("a"));
    await saver.put(config, early, loop, { a: 2 });
    expect((await saver.getTuple(at(threadId)))?.checkpoint.id).toBe(early.id);
    expect(await saver.newest(threadId)).toMatchObject({ checkpointId: early.id });
    const listed: string[] = [];
    for await (const { checkpoint } of saver.list(at(threadId))) listed.push(checkpoint.id);
    expect(listed).toEqual([early.id, late.id]);
    const before = { configurable: { checkpoint_id: early.id } };
    for await (const { checkpoint } of saver.list(at(threadId), { before })) expect(checkpoint.id).toBe(late.id);
  });

  test("stays when an older one is stored again, as a repeated command does", async () => {
    const threadId = uuid();
    const [older, newer] = [checkpointOf({ a: [1] }), checkpointOf({ a: [2, 2] })];
    const config = await saver.put(at(threadId), older, loop, versions("a"));
    await saver.put(config, newer, loop, { a: 2 });
    await saver.put(at(threadId), older, loop, versions("a"));
    expect((await saver.getTuple(at(threadId)))?.checkpoint.id).toBe(newer.id);
  });
});

describe("deleting a thread", () => {
  test("leaves no key of it, in steps of bounded length, and leaves others alone", async () => {
    await core.admin.flushall();
    const [kept, gone] = [uuid(), uuid()];
    await chain(kept, 2);
    const before = await core.admin.dbsize();
    await chain(gone, 450);
    for (let child = 0; child < 30; child++) {
      const config = at(gone, { checkpoint_ns: `child:${uuid()}` });
      await saver.putWrites(
        await saver.put(config, checkpointOf({ a: [child] }), loop, versions("a")),
        [["a", 1]],
        "t",
      );
    }
    await saver.putWrites(at(gone, { checkpoint_id: "never-put" }), [["a", big("a")]], "task");
    expect(await roundTrips(core, () => saver.deleteThread(gone))).toBe(3);
    expect(await saver.getTuple(at(gone))).toBeUndefined();
    expect((await saver.getTuple(at(kept)))?.checkpoint.channel_values).toMatchObject({ step: 2 });
    const names = (await core.admin.keys("*")).filter((key) => key.includes(gone));
    expect(names).toEqual([]);
    expect(await core.admin.dbsize()).toBe(before);
    for await (const { config } of saver.list({})) expect(config.configurable?.thread_id).toBe(kept);
  });
});

describe("a list", () => {
  test("without a namespace goes through all of a thread, with a filter it finds by metadata", async () => {
    const threadId = uuid();
    for (const ns of ["", "child:1", "child:2"])
      for (const source of ["input", "loop"] as const)
        await saver.put(at(threadId, { checkpoint_ns: ns }), checkpointOf({}), { ...loop, source }, {});
    const found: unknown[] = [];
    const all = { configurable: { thread_id: threadId } };
    for await (const { config, metadata } of saver.list(all, { filter: { source: "input" } }))
      found.push([config.configurable?.checkpoint_ns, metadata?.source]);
    expect(found).toEqual([
      ["", "input"],
      ["child:1", "input"],
      ["child:2", "input"],
    ]);
  });

  test("of a namespace may stop before a checkpoint of another one", async () => {
    const threadId = uuid();
    const child = at(threadId, { checkpoint_ns: "child" });
    const ids = Array.from({ length: 250 }, (_, step) => uuid6(step));
    for (const id of ids) await saver.put(child, checkpointOf({}, id), loop, {});
    const upTo = async (index: number) => {
      for await (const { checkpoint } of saver.list(child, { before: at("", { checkpoint_id: ids[index] }), limit: 1 }))
        return checkpoint.id;
    };
    expect(await upTo(100)).toBe(ids[99]);
    expect(await upTo(0)).toBeUndefined();
    const between = `${ids[10]?.slice(0, -1)}g`;
    for await (const { checkpoint } of saver.list(child, { before: at("", { checkpoint_id: between }), limit: 1 }))
      expect(checkpoint.id).toBe(ids[10]);
  });
});

test("ids that could name another key are refused", async () => {
  await expect(saver.getTuple(at("a:b"))).rejects.toThrow("thread_id");
  await expect(saver.put(at(uuid(), { checkpoint_id: "a:b" }), checkpointOf({}), loop, {})).rejects.toThrow(
    "checkpoint_id",
  );
});

test("a call that fails is repeated as the caller says", async () => {
  // A connection for requests refuses whatever comes before it is up.
  const redis = connect({ url: core.url }, "request", silent);
  const persist = <T>(call: () => Promise<T>) => vi.waitFor(call);
  const threadId = uuid();
  const config = at(threadId);
  await expect(createCheckpointer(ours, { ...core, redis }).getTuple(config)).rejects.toThrow("writeable");
  const stubborn = createCheckpointer(ours, { ...core, redis, persist });
  await stubborn.put(config, checkpointOf({ a: [1] }), loop, versions("a"));
  expect((await stubborn.getTuple(config))?.checkpoint.channel_values).toEqual({ a: 1 });
  redis.disconnect();
});
