/** Following a thread: every event of every run, by its number, whatever is lost on the way or gone from Redis. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { NewEvent } from "../../app/runs/attempts.js";
import type { ThreadFollowFrom } from "../../app/runs/threadFollow.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { type Core, newRun, soon, startCore, success } from "../support/core.js";
import { readThread, tellState } from "../support/threadReader.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
beforeEach(async () => {
  await core.admin.flushall();
});
afterAll(() => core.stop());

const MEGABYTE = 1024 * 1024;
const numbered = (count: number, bytes = 1): NewEvent[] =>
  Array.from({ length: count }, (_, at) => ({ event: "custom", data: JSON.stringify(`${at}`.padEnd(bytes, "x")) }));
const threadKey = (threadId: string) => core.keys.of(threadId, "thread", threadId);
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

async function createThread(): Promise<string> {
  const threadId = uuid();
  await core.runs.enqueue(newRun({ threadId }));
  const run = await core.claim(threadId);
  await core.attempts.finish(run, success, 1, []);
  return threadId;
}

async function claimed(threadId: string, given: Parameters<typeof newRun>[0] = {}): Promise<ClaimedRun> {
  await core.runs.enqueue(newRun({ threadId, ...given }));
  return await core.claim(threadId);
}

/** Three events: `metadata`, one of its own, `end`. */
async function runOnce(threadId: string, given: Parameters<typeof newRun>[0] = {}): Promise<string> {
  const run = await claimed(threadId, given);
  await core.attempts.append(run, 1, numbered(1));
  await core.attempts.finish(run, success, 2, []);
  return run.runId;
}

const reader = (threadId: string, ...how: [from: ThreadFollowFrom, state?: () => Promise<string | undefined>]) =>
  readThread(core, threadId, ...how);

describe("a thread's events", () => {
  test("come from run to run, each once, with the run that they are of", async () => {
    const threadId = await createThread();
    await using live = await reader(threadId, "now");
    const runs = [await runOnce(threadId), await runOnce(threadId)];
    await live.reached(8);
    expect(live.ids()).toEqual(upTo(8, 3));
    const [first, second] = runs;
    expect(live.seen.map(({ runId }) => runId)).toEqual([first, first, first, second, second, second]);
    expect(live.seen.map(({ event }) => event)).toEqual(["metadata", "custom", "end", "metadata", "custom", "end"]);
    await using replayed = await reader(threadId, { after: 2 });
    await replayed.reached(8);
    expect(replayed.seen).toEqual(live.seen);
    await using all = await reader(threadId, "start");
    await all.reached(8);
    expect(all.ids()).toEqual(upTo(8));
  });

  test("of runs that are cancelled while another one goes on lie between its own, also when read later", async () => {
    const threadId = await createThread();
    await using live = await reader(threadId, "now");
    const owned = await claimed(threadId);
    for (let first = 1; first < 200; first += 10) {
      await core.attempts.append(owned, first, numbered(10));
      const waiting = newRun({ threadId });
      await core.runs.enqueue(waiting);
      await core.runs.cancel(threadId, waiting.runId);
    }
    await core.attempts.finish(owned, success, 201, []);
    await live.reached(224);
    expect(live.ids()).toEqual(upTo(224, 3));
    for (const after of [2, 3, 13, 14, 15, 100, 222, 223]) {
      await using later = await reader(threadId, { after });
      await later.reached(224);
      expect(later.seen).toEqual(live.seen.slice(after - 2));
    }
  });

  test("of further attempts are found from any place", async () => {
    const threadId = await createThread();
    await using live = await reader(threadId, "now");
    let owned = await claimed(threadId);
    for (let attempt = 0; attempt < 3; attempt++) {
      await core.attempts.append(owned, 1, numbered(attempt * 7));
      await core.attempts.release(owned);
      owned = await core.claim(threadId);
    }
    await core.attempts.finish(owned, success, 1, numbered(2));
    const last = 2 + 4 + 7 + 14 + 3;
    await live.reached(last);
    expect(live.ids()).toEqual(upTo(last, 3));
    for (const after of upTo(last - 1, 2)) {
      await using later = await reader(threadId, { after });
      await later.reached(last);
      expect(later.seen).toEqual(live.seen.slice(after - 2));
    }
  });

  test("that are too long to publish are read, and so are those that PubSub lost", async () => {
    const threadId = await createThread();
    await using live = await reader(threadId, "now");
    const owned = await claimed(threadId);
    await core.attempts.append(owned, 1, numbered(3, 100_000));
    const channel = core.keys.of(threadId, "follow", threadId);
    await core.subscriber.sunsubscribe(channel);
    await core.attempts.append(owned, 4, numbered(3));
    await core.subscriber.ssubscribe(channel);
    await core.attempts.append(owned, 7, numbered(1));
    await live.reached(10);
    await core.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
    await core.attempts.finish(owned, success, 8, []);
    await live.reached(11);
    expect(live.ids()).toEqual(upTo(11, 3));
  });

  test("tell of states that no run wrote, also those who come later", async () => {
    const threadId = await createThread();
    await using live = await reader(threadId, "now");
    await tellState(core, threadId);
    await runOnce(threadId);
    await tellState(core, threadId);
    await live.reached(7);
    await using later = await reader(threadId, { after: 2 });
    await later.reached(7);
    for (const { seen } of [live, later]) {
      const names = ["state_update", "metadata", "custom", "end", "state_update"];
      expect(seen.map(({ event }) => event)).toEqual(names);
      expect(seen.map(({ id }) => Number(id))).toEqual(upTo(7, 3));
      expect([seen[0]?.runId, seen[4]?.runId]).toEqual([undefined, undefined]);
    }
  });

  test("of a release that kept no order are found among the newest runs", async () => {
    const threadId = await createThread();
    await runOnce(threadId);
    await core.redis.del(core.keys.of(threadId, "order", threadId));
    await using later = await reader(threadId, { after: 1 });
    await later.reached(5);
    expect(later.ids()).toEqual([2, 3, 4, 5]);
  });
});

describe("a place that is gone", () => {
  test("since its run's events have expired leads to the state, then to what is new", async () => {
    const threadId = await createThread();
    const gone = await runOnce(threadId);
    await core.redis.del(core.keys.of(threadId, "events", gone));
    await using late = await reader(threadId, { after: 2 });
    await late.reached(5);
    expect(late.seen).toMatchObject([{ event: "values", data: '{"now":1}', id: "5", resync: true }]);
    await runOnce(threadId);
    await late.reached(8);
    expect(late.ids()).toEqual([5, 6, 7, 8]);
  });

  test("is no loss for who asks for all that is kept", async () => {
    const threadId = await createThread();
    const gone = await runOnce(threadId);
    await runOnce(threadId);
    await core.redis.del(core.keys.of(threadId, "events", gone));
    await using all = await reader(threadId, "start");
    await all.reached(8);
    expect(all.ids()).toEqual([1, 2, 6, 7, 8]);
    await core.redis.del(...(await core.admin.keys("*:events:*")));
    await using none = await reader(threadId, "start");
    await runOnce(threadId);
    await none.reached(11);
    expect(none.ids()).toEqual([9, 10, 11]);
  });

  test("is none where nothing has happened since, however long ago that was", async () => {
    const threadId = await createThread();
    await core.redis.del(...(await core.admin.keys("*:events:*")), core.keys.of(threadId, "order", threadId));
    await using late = await reader(threadId, { after: 2 });
    await runOnce(threadId);
    await late.reached(5);
    expect(late.ids()).toEqual([3, 4, 5]);
  });

  test("in a run that goes on, by its eight megabytes, tells which run that is", async () => {
    const threadId = await createThread();
    const owned = await claimed(threadId);
    for (let first = 1; first <= 37; first += 4) await core.attempts.append(owned, first, numbered(4, MEGABYTE / 4));
    await using late = await reader(threadId, { after: 2 });
    await late.reached(43);
    expect(late.seen).toMatchObject([
      { event: "metadata", id: "", data: JSON.stringify({ run_id: owned.runId, attempt: 1 }) },
      { event: "values", id: "43" },
    ]);
    await core.attempts.finish(owned, success, 41, []);
    await late.reached(44);
  });

  test("beyond the thread's newest event, and one that was never one, lead to the state", async () => {
    const threadId = await createThread();
    for (const from of [{ after: 99 }, "lost"] as const) {
      await using late = await reader(threadId, from, async () => undefined);
      await late.reached(2);
      expect(late.seen).toMatchObject([{ event: "values", data: "{}", resync: true }]);
    }
  });

  test("by a failover under an open stream is noticed at the reconnection, and where numbers come again", async () => {
    const threadId = await createThread();
    await using live = await reader(threadId, "now");
    const lost = await runOnce(threadId);
    await live.reached(5);
    // As a replica has it that had not yet got the run.
    const forget = async (runId: string) => {
      const keys = [core.keys.of(threadId, "events", runId), core.keys.of(threadId, "run", runId)];
      await core.redis
        .multi()
        .hset(threadKey(threadId), "seq", 2)
        .del(...keys)
        .exec();
    };
    await forget(lost);
    await core.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
    await live.reached(2);
    expect(live.seen.at(-1)).toMatchObject({ event: "values", resync: true });

    await forget(await runOnce(threadId));
    await soon(() => expect(live.ids().slice(-3)).toEqual([3, 4, 5]));
    await runOnce(threadId);
    await soon(() => expect(live.seen.at(-1)).toMatchObject({ event: "values", id: "5", resync: true }));
  });
});

describe("a thread that goes", () => {
  test("ends its streams, whether a run goes on or not, and a new one of its id is another", async () => {
    const threadId = await createThread();
    const idle = await reader(threadId, "now");
    await core.removals.deleteThread(threadId);
    await idle.done;
    expect(idle.seen).toMatchObject([{ event: "end", runId: undefined }]);

    const owned = await claimed(threadId);
    const busy = await reader(threadId, { after: 1 });
    await core.attempts.append(owned, 1, numbered(2));
    await busy.reached(3);
    await core.removals.deleteThread(threadId);
    await busy.done;
    expect(busy.seen.map(({ event }) => event)).toEqual(["custom", "custom", "end", "end"]);
    expect(busy.seen.map(({ runId }) => runId)).toEqual([owned.runId, owned.runId, owned.runId, undefined]);
    expect(await core.admin.keys("*")).toEqual([]);
  });

  test("with its stateless run ends them with that one", async () => {
    const threadId = uuid();
    const run = newRun({ threadId, runId: threadId, lifetime: "delete" });
    await core.runs.enqueue(run);
    const live = await reader(threadId, "now");
    await core.attempts.finish(await core.claim(threadId), success, 1, []);
    await live.done;
    expect(live.seen.map(({ event, runId }) => [event, runId])).toEqual([
      ["metadata", threadId],
      ["end", threadId],
      ["end", undefined],
    ]);
  });

  test("is not there to be followed", async () => {
    const missing = core.runs.followThread(uuid(), "now", async () => undefined);
    await expect(missing).rejects.toMatchObject({ reason: "thread_missing" });
    await soon(async () => expect(await core.admin.call("PUBSUB", "SHARDCHANNELS")).toEqual([]));
  });
});

test("what is lost without a word is found within seconds: a last event, and that the thread is another by now", async () => {
  const [one, other] = [await createThread(), await createThread()];
  await using live = await reader(one, "now");
  const ended = await reader(other, "now");
  await core.subscriber.sunsubscribe(core.keys.of(one, "follow", one));
  await runOnce(one);
  await core.redis.hset(threadKey(other), { created_at: "1" });
  await vi.waitFor(() => expect(live.ids()).toEqual([3, 4, 5]), { timeout: 10_000, interval: 50 });
  await ended.done;
  expect(ended.seen).toMatchObject([{ event: "end", runId: undefined }]);
});

test("what finds the events goes with them: it holds no run without events, and expires after the last one", async () => {
  const threadId = await createThread();
  const order = core.keys.of(threadId, "order", threadId);
  expect(await core.redis.pttl(order)).toBeGreaterThan(3_500_000);
  for (let at = 0; at < 12; at++) await core.redis.del(core.keys.of(threadId, "events", await runOnce(threadId)));
  const owned = await claimed(threadId);
  expect(await core.redis.pttl(order)).toBe(-1);
  const waiting = newRun({ threadId });
  await core.runs.enqueue(waiting);
  await core.runs.cancel(threadId, waiting.runId);
  expect(await core.redis.pttl(order)).toBe(-1);
  await core.attempts.finish(owned, success, 1, []);
  expect(await core.redis.pttl(order)).toBeGreaterThan(3_500_000);
  expect((await core.redis.zrange(order, "0", "-1")).slice(-2)).toEqual([waiting.runId, owned.runId]);
  expect(await core.redis.zcard(order)).toBeLessThan(5);
});
