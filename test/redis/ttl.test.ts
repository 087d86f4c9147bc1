/** Threads that expire, and what is kept of runs that have ended. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Checkpointer, createCheckpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { removalScripts } from "../../app/data/removal.js";
import { Threads, type ThreadTtl } from "../../app/data/threads.js";
import { Runs } from "../../app/runs/runs.js";
import { scripts } from "../../app/runs/scripts.js";
import type { ClaimedRun, NewRun } from "../../app/runs/types.js";
import { at, type Config, checkpointOf, loop, ours } from "../support/checkpoints.js";
import { type Core, newRun, silent, soon, startCore, success } from "../support/core.js";

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

const create = (strategy: ThreadTtl["strategy"], ms: number) =>
  threads.create({ threadId, metadata: {}, ttl: { strategy, ms } });
const put = (config: Config, channels: Parameters<typeof checkpointOf>[0], more = {}) =>
  saver.put(
    config,
    checkpointOf(channels),
    { ...loop, ...more },
    Object.fromEntries(Object.keys(channels).map((name) => [name, 1])),
  );
const keyOf = (kind: string, ...ids: string[]) => core.keys.of(threadId, kind, ...ids);
const bytes = (letter: string) => letter.repeat(5_000);

async function start(): Promise<ClaimedRun> {
  await core.runs.enqueue(newRun({ threadId }));
  return await core.claim(threadId);
}

/** The sweeps do what is due now. */
async function swept(expected: () => Promise<void>): Promise<void> {
  await soon(async () => {
    await core.sweep();
    await expected();
  });
}

/** So far in the past that a ttl of a minute is over. */
async function idleForAnHour(): Promise<void> {
  const hourAgo = Date.now() - 3_600_000;
  await core.admin.hset(keyOf("thread", threadId), "updated_at", hourAgo);
  await core.admin.zadd(keyOf("expiring"), hourAgo, threadId);
}

test("the project's ttl is that of threads that runs create, if they stay, and of none that was there", async () => {
  const threadTtl = { strategy: "keep_latest", ms: 60_000 };
  const runs = new Runs({ ...core, commands: core.redis, threadTtl, outageSeconds: 90, log: silent });
  onTestFinished(() => runs.close());
  const ttlOf = async (given: Partial<NewRun>) => {
    const run = newRun(given);
    if (run.lifetime !== "thread") run.threadId = run.runId;
    await runs.enqueue(run);
    return (await threads.get(run.threadId))?.ttl;
  };
  expect(await ttlOf({ threadId })).toEqual(threadTtl);
  expect(await core.redis.zscore(keyOf("expiring"), threadId)).not.toBeNull();
  expect(await ttlOf({ lifetime: "keep" })).toEqual(threadTtl);
  expect(await ttlOf({ lifetime: "delete" })).toBeUndefined();
  const there = uuid();
  await threads.create({ threadId: there, metadata: {} });
  expect(await ttlOf({ threadId: there })).toBeUndefined();
});

describe("a ttl", () => {
  test("that deletes leaves no key when it is over", async () => {
    await create("delete", 1);
    await swept(async () => expect((await core.admin.keys("*")).filter((key) => !key.endsWith(":swept"))).toEqual([]));
    expect((await create("delete", 60_000)).created).toBe(true);
  });

  test("counts from the last activity, and never while a run is open", async () => {
    await create("delete", 60_000);
    await idleForAnHour();
    const run = await start();
    await idleForAnHour();
    await core.sweep();
    expect(await threads.get(threadId)).toBeDefined();
    await core.admin.zadd(keyOf("expiring"), 1, threadId);
    await core.attempts.finish(run, success, 1, []);
    await core.sweep();
    const due = Number(await core.redis.zscore(keyOf("expiring"), threadId));
    expect(due - Date.now()).toBeGreaterThan(55_000);
    expect(due - Date.now()).toBeLessThanOrEqual(61_000);

    await idleForAnHour();
    await core.sweep();
    expect(await threads.get(threadId)).toBeUndefined();
  });

  test("that keeps the latest removes older checkpoints and the values that nothing names any more", async () => {
    await create("keep_latest", 60_000);
    const run = await start();
    const config = (more: Record<string, unknown> = {}) => at(threadId, { ...writtenBy(run), ...more });
    let head: Config = config();
    for (const letter of ["a", "b", "c"]) head = await put(head, { changing: [bytes(letter)], kept: [bytes("k")] });
    await saver.putWrites(head, [["changing", bytes("w")]], "task");
    let inner: Config = config({ checkpoint_ns: "sub:1" });
    for (const letter of ["x", "y"]) inner = await put(inner, { changing: [bytes(letter)] });
    await core.attempts.finish(run, success, 1, []);
    const blobs = keyOf("blobs", threadId);
    expect(await core.redis.hlen(blobs)).toBe(7);

    await idleForAnHour();
    await core.sweep();
    const tuples = [];
    for await (const tuple of saver.list({ configurable: { thread_id: threadId } })) tuples.push(tuple);
    expect(tuples.map(({ checkpoint }) => checkpoint.channel_values)).toEqual([
      { changing: bytes("c"), kept: bytes("k") },
      { changing: bytes("y") },
    ]);
    expect(tuples[0]?.pendingWrites).toEqual([["task", "changing", bytes("w")]]);
    expect(await core.redis.hlen(blobs)).toBe(4);
    expect((await core.admin.keys("*")).filter((key) => /:(named|removals|expiring)/.test(key))).toEqual([]);
    expect(await threads.get(threadId)).toMatchObject({ status: "idle", valuesJson: success.state.values });
  });

  test("that kept the latest counts again from the next activity", async () => {
    await create("keep_latest", 60_000);
    await idleForAnHour();
    await core.sweep();
    expect(await core.redis.zscore(keyOf("expiring"), threadId)).toBeNull();
    const run = await start();
    expect(Number(await core.redis.zscore(keyOf("expiring"), threadId)) - Date.now()).toBeGreaterThan(55_000);
    await core.attempts.finish(run, success, 1, []);
    expect(await threads.get(threadId)).toMatchObject({ ttl: { strategy: "keep_latest", ms: 60_000 } });
  });

  test("drops no newer value for a process that stood still since an earlier time", async () => {
    await create("keep_latest", 60_000);
    const runs = async (letter: string) => {
      const run = await start();
      await put(at(threadId, { ...writtenBy(run) }), { a: [bytes(letter)] });
      await core.attempts.finish(run, success, 1, []);
      await idleForAnHour();
    };
    const fence = () => scripts.pruneThread.run(core.redis, keyOf("thread", threadId), threadId);
    const history = keyOf("history", threadId);
    const pass = uuid();

    await runs("a");
    expect(await fence()).toBe(1);
    await removalScripts.keepNewest.run(core.redis, history, threadId, threadId, pass, "-", 100);
    await core.removals.remove({ threadId, what: "keep_latest" });
    await runs("b");
    expect(await fence()).toBe(1);
    await removalScripts.dropBlobs.run(core.redis, history, threadId, threadId, pass, "0", 50);
    await core.removals.remove({ threadId, what: "keep_latest" });
    expect((await saver.getTuple(at(threadId)))?.checkpoint.channel_values).toEqual({ a: bytes("b") });
  });

  test("keeps the ancestors from which the newest checkpoint takes values", async () => {
    await create("keep_latest", 60_000);
    const run = await start();
    const deltas = { counters_since_delta_snapshot: { log: [2, 2] } };
    const first = await put(at(threadId, { ...writtenBy(run) }), { log: [bytes("a")] });
    await put(first, {}, deltas);
    await core.attempts.finish(run, success, 1, []);
    await idleForAnHour();
    await core.sweep();
    expect(await core.redis.zcard(keyOf("checkpoints", threadId, ""))).toBe(2);
    expect(await core.redis.hlen(keyOf("blobs", threadId))).toBe(1);
  });
});

describe("when all runs have ended", () => {
  const MINUTE = 60_000;
  /** Keys that live as long as the partition does. */
  const SHARED = /:(swept|graphs|wake:\w+)$/;

  test.each([
    [false, 5 * MINUTE],
    [true, 60 * MINUTE],
  ])("every key that a stateless run left expires (resumable: %s)", async (resumable, eventsMs) => {
    for (const end of ["finished", "cancelled", "given up"] as const) {
      const runId = uuid();
      const payload = { stream_mode: ["values"], ...(resumable && { stream_resumable: true }) };
      await core.runs.enqueue(newRun({ runId, threadId: runId, lifetime: "delete", idIsGiven: true, payload }));
      if (end === "cancelled") await core.runs.cancel(runId, runId);
      else {
        const run = await core.claim(runId, end === "finished" ? 30_000 : 1);
        if (end === "finished") await core.attempts.finish(run, success, 1, []);
        else
          await soon(async () => {
            await core.sweep({ maxFailures: 1 });
            expect(await core.runs.get(runId, runId)).toBeUndefined();
          });
      }
      const left = (await core.admin.keys("*")).filter((key) => !SHARED.test(key));
      expect(
        left
          .filter((key) => key.includes(runId))
          .map((key) => key.split(":")[2])
          .sort(),
      ).toEqual(["events", "request"]);
      for (const key of left) expect(await core.redis.pttl(key), key).toBeGreaterThan(0);
      const ttl = await core.redis.pttl(core.keys.of(runId, "events", runId));
      expect(ttl).toBeGreaterThan(eventsMs - MINUTE);
      expect(ttl).toBeLessThanOrEqual(eventsMs);
    }
  });

  test("the record of a run on a thread is kept for seven days, its events as long as a stateless one's", async () => {
    const run = await start();
    await core.attempts.finish(run, success, 1, []);
    expect((await core.redis.pttl(keyOf("run", run.runId))) / MINUTE).toBeCloseTo(7 * 24 * 60, 0);
    expect((await core.redis.pttl(keyOf("events", run.runId))) / MINUTE).toBeCloseTo(5, 0);
  });

  test("what was rolled back is known for as long as its events tell of its end", async () => {
    const request = newRun({ threadId });
    await core.runs.enqueue(request);
    await core.runs.cancel(threadId, request.runId, "rollback");
    expect((await core.redis.pttl(keyOf("events", request.runId))) / MINUTE).toBeCloseTo(5, 0);
    // The same request again is no new run.
    expect(await core.runs.enqueue(request)).toMatchObject({ status: "interrupted" });
    expect(await core.runs.get(threadId, request.runId)).toBeUndefined();
  });
});
