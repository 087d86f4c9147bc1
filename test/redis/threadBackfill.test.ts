/** Threads of the release before, which keeps no index: its writes are played here as it makes them. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type BackfillPace, startThreadBackfill, ThreadBackfill } from "../../app/data/threads/backfill.js";
import { ThreadSearch } from "../../app/data/threads/search.js";
import { Threads } from "../../app/data/threads.js";
import { type Core, silent, soon, startCore } from "../support/core.js";
import { commandsOf } from "../support/manyThreads.js";
import { threadIndexes } from "../support/threadIndex.js";

let core: Core;
let search: ThreadSearch;
beforeAll(async () => {
  core = await startCore();
  search = new ThreadSearch(core.redis, core.keys);
});
beforeEach(() => core.admin.flushall());
afterAll(() => core.stop());

/** Each step is due at once, and a few keys long. */
const brisk: BackfillPace = { pauseMs: 1, aCall: 50, callsAStep: 2, repeatAfterMs: [0] };
const server = (pace: Partial<BackfillPace> = {}) => new ThreadBackfill(core.redis, core.keys, { ...brisk, ...pace });

const keyOf = (threadId: string) => core.keys.of(threadId, "thread", threadId);

async function ofPrevious(fields: Record<string, string> = {}): Promise<string> {
  const threadId = uuid();
  const at = String(Date.now());
  await core.admin.hset(keyOf(threadId), {
    ...{ created_at: at, lifetime: "thread", updated_at: at, metadata: '{"team":"red"}', config: "{}", status: "idle" },
    ...{ settled: "idle", values: "null", interrupts: "{}", active: "", open: "0", accepted: "0", seq: "0", ...fields },
  });
  return threadId;
}

const state = () => core.admin.hget("{sw:0}:thread_backfill", "at");
const began = () => core.admin.hget("{sw:0}:thread_backfill", "began");

/** Steps until a pass has ended: one that begins later than `before`, ms. @returns how many it took */
async function pass(backfill: ThreadBackfill, before = 0): Promise<number> {
  let steps = 0;
  await soon(async () => {
    await backfill.step();
    steps++;
    expect(await state()).toBe("done");
    expect(Number(await began())).toBeGreaterThan(before);
  });
  return steps;
}

async function expectIndexed(): Promise<void> {
  const { held, expected } = await threadIndexes(core.admin);
  expect(held).toEqual(expected);
}

test("what the release before has stored is found after a pass, whose steps are bounded", async () => {
  for (let made = 0; made < 150; made++) await ofPrevious(made % 3 ? {} : { lifetime: "delete" });
  expect(await search.count({ metadata: { team: "red" } })).toBe(0);
  const backfill = server();
  await commandsOf(core.admin);
  await backfill.step();
  expect((await commandsOf(core.admin)).scan).toBe(2);
  expect(await pass(backfill)).toBeGreaterThan(1);
  expect(await search.count({ metadata: { team: "red" } })).toBe(100);
  await expectIndexed();
  // Nothing more is to be done until a server starts.
  await commandsOf(core.admin);
  await backfill.step();
  expect((await commandsOf(core.admin)).scan).toBeUndefined();
});

test("another server goes on where the first one died", async () => {
  for (let made = 0; made < 300; made++) await ofPrevious();
  const first = server();
  await first.step();
  const cursor = (await state())?.split(" ")[1];
  expect(cursor).not.toBe("0");
  const monitored: string[] = [];
  const monitor = await (core.admin as Exclude<typeof core.admin, { nodes: unknown }>).monitor();
  monitor.on("monitor", (_time: string, [name = "", at = ""]: string[]) => name === "scan" && monitored.push(at));
  await soon(async () => {
    await server().step();
    expect(monitored.length).toBeGreaterThan(0);
  });
  expect(monitored[0]).toBe(cursor);
  monitor.disconnect();
});

test("what it changes and deletes while both serve is right after the next pass", async () => {
  const threads = new Threads(core.redis, core.keys);
  const [changed, deleted, made] = [uuid(), uuid(), await ofPrevious()];
  for (const threadId of [changed, deleted]) await threads.create({ threadId, metadata: { team: "red" } });
  await pass(server());
  await core.admin.hset(keyOf(changed), {
    status: "busy",
    updated_at: Date.now() + 1,
    graph_id: "echo",
    assistant_id: "a",
  });
  await core.admin.del(keyOf(deleted), keyOf(made));
  await pass(server(), Number(await began()));
  await expectIndexed();
  expect(await search.count({ status: "busy", metadata: { graph_id: "echo", team: "red" } })).toBe(1);
  expect(await search.count({})).toBe(1);
});

test("a deleted one that a search meets before leaves the index then", async () => {
  const threadId = await ofPrevious();
  await pass(server());
  await core.admin.del(keyOf(threadId));
  const page = { sortBy: "updated_at", sortOrder: "desc", offset: 0, limit: 10 } as const;
  expect((await search.find({}, page, { withState: true })).threads).toEqual([]);
  await expectIndexed();
});

test("a pass is made again some time after a server's start, and begins anew on another Redis", async () => {
  const backfill = server({ repeatAfterMs: [0, 300] });
  await pass(backfill);
  const late = await ofPrevious();
  await soon(async () => {
    await backfill.step();
    expect(await core.admin.zscore(core.keys.of(late, "threads", "thread_id"), late)).toBe("0");
  });
  // A cursor of the Redis that was lost would lead past what it had not told yet.
  await core.admin.hset("{sw:0}:thread_backfill", { redisRun: "another", at: "leftovers 15 -" });
  const lost = await ofPrevious();
  await pass(backfill, Number(await began()));
  expect(await search.count({})).toBe(2);
  expect(await core.admin.exists(keyOf(lost))).toBe(1);
});

test("servers share the pace, and stop at once", async () => {
  for (let made = 0; made < 10; made++) await ofPrevious();
  await commandsOf(core.admin);
  const slow = { pauseMs: 60_000, aCall: 1, callsAStep: 1 };
  await Promise.all([server(slow).step(), server(slow).step(), server(slow).step()]);
  expect((await commandsOf(core.admin)).scan).toBe(1);
  const running = startThreadBackfill(server(), brisk.pauseMs, silent);
  await core.admin.del("{sw:0}:thread_backfill:turn");
  await soon(async () => expect(await search.count({})).toBe(10));
  await running.stop();
});
