/** Clients whose place in a run's stream is gone: it was trimmed, or a failover took it back. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { NewEvent } from "../../app/runs/attempts.js";
import type { FollowFrom } from "../../app/runs/follow.js";
import type { ClaimedRun, EventId, RunEvent } from "../../app/runs/types.js";
import { type Core, collect, newRun, startCore, success } from "../support/core.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
beforeEach(async () => {
  await core.admin.flushall();
});
afterAll(() => core.stop());

const MEGABYTE = 1024 * 1024;
const big = (count: number, bytes = MEGABYTE / 4): NewEvent[] =>
  Array.from({ length: count }, () => ({ event: "custom", data: JSON.stringify("x".repeat(bytes)) }));
const values = (data: string): NewEvent[] => [{ event: "values", data }];

const state = async () => '{"steps":7}';
const follow = ({ threadId, runId }: Pick<ClaimedRun, "threadId" | "runId">, from: FollowFrom) =>
  core.runs.follow(threadId, runId, from, state);

async function claimed(given: Parameters<typeof newRun>[0] = {}): Promise<ClaimedRun> {
  const run = newRun(given);
  await core.runs.enqueue(run);
  return await core.claim(run.threadId);
}

/** Appends `megabytes` of events in batches of one megabyte. @returns the last seq */
async function fill(run: ClaimedRun, megabytes: number, first = 1): Promise<number> {
  for (let at = 0; at < megabytes; at++) await core.attempts.append(run, first + at * 4, big(4));
  return first + megabytes * 4 - 1;
}

const eventsKey = (run: ClaimedRun) => core.keys.of(run.threadId, "events", run.runId);
const recordKey = (run: ClaimedRun) => core.keys.of(run.threadId, "run", run.runId);
const keptIds = async (run: ClaimedRun) => (await core.redis.xrange(eventsKey(run), "-", "+")).map(([id]) => id);
const ids = (events: RunEvent[]) => events.map(({ id }) => id);

const resync = (runId: string, attempt: number, id: EventId, data = '{"steps":7}') => [
  { id: "", event: "metadata", data: JSON.stringify({ run_id: runId, attempt }), resync: true },
  { id, event: "values", data, resync: true },
];

/** What a failover leaves when the replica had not yet got the newest events. */
async function loseAfter(run: ClaimedRun, last: EventId): Promise<void> {
  const left = await core.redis.xrange(eventsKey(run), "-", last);
  const failover = core.redis.multi().del(eventsKey(run));
  for (const [id, fields] of left) failover.xadd(eventsKey(run), id, ...fields);
  await failover.hset(recordKey(run), "last", last).exec();
}

const reconnect = () => core.admin.call("CLIENT", "KILL", "TYPE", "pubsub");

describe("a run of more than eight megabytes of events", () => {
  test("keeps the newest ones, the first, internal one, and at most eight megabytes", async () => {
    const run = await claimed();
    const last = await fill(run, 20);
    const [first, ...kept] = await keptIds(run);
    expect(first).toBe("0-1");
    expect(kept.at(-1)).toBe(`1-${last}`);
    expect(kept.length).toBeGreaterThanOrEqual(31);
    expect(kept.length).toBeLessThanOrEqual(32);
    expect(await core.redis.memory("USAGE", eventsKey(run))).toBeLessThan(9.5 * MEGABYTE);
    const again = newRun({ runId: run.runId, threadId: run.threadId, idIsGiven: true });
    expect((await core.runs.enqueue(again)).status).toBe("running");
  });

  test("is not trimmed to the first event of an attempt, which would follow on anything", async () => {
    const first = await claimed();
    await fill(first, 7);
    await core.attempts.release(first);
    const second = await core.claim(first.threadId);
    // More at once than is kept, so that all before it goes.
    await core.attempts.append(second, 1, big(36));
    const [, oldest] = await keptIds(second);
    expect(oldest).toMatch(/^2-[1-9]/);
    const events = (await follow(second, { after: "1-3" }))[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject(resync(second.runId, 2, "2-36"));
    await events.return?.();
  });

  test("keeps the newest one however large it is, and whatever the next attempt begins with", async () => {
    const first = await claimed();
    await core.attempts.append(first, 1, big(1, 9 * MEGABYTE));
    expect(await keptIds(first)).toEqual(["0-1", "1-1"]);
    await core.attempts.release(first);
    const second = await core.claim(first.threadId);
    expect(await keptIds(second)).toEqual(["0-1", "1-1", "2-0"]);
    await core.attempts.append(second, 1, big(1));
    expect(await keptIds(second)).toEqual(["0-1", "2-1"]);
  });

  test("a reader that comes later is told the state and goes on live; one that kept up misses nothing", async () => {
    const run = newRun();
    const keptUp = collect(await follow(run, "new"));
    await core.runs.enqueue(run);
    const owned = await core.claim(run.threadId);
    const last = await fill(owned, 10);
    const late = await follow(run, "start");
    const all = collect(late);
    await vi.waitFor(() => expect(late).toHaveProperty("cursor", `1-${last}`));
    await core.attempts.finish(owned, success, last + 1, []);
    expect(await all).toMatchObject([...resync(run.runId, 1, `1-${last}`), { id: `1-${last + 1}`, event: "end" }]);
    expect(ids(await keptUp)).toEqual(["1-0", ...Array.from({ length: last + 1 }, (_, at) => `1-${at + 1}`)]);
  });

  test("a reader that stood still meanwhile is told the state, then the end", async () => {
    const run = newRun();
    const reader = (await follow(run, "new"))[Symbol.asyncIterator]();
    await core.runs.enqueue(run);
    const owned = await core.claim(run.threadId);
    expect((await reader.next()).value).toMatchObject([{ id: "1-0" }]);
    const last = await fill(owned, 12);
    await core.attempts.finish(owned, success, last + 1, []);
    expect((await reader.next()).value).toMatchObject([...resync(run.runId, 1, `1-${last}`), { event: "end" }]);
    expect((await reader.next()).done).toBe(true);
  });
});

describe("a Last-Event-ID", () => {
  test("from beyond the stream's end is answered with the state, and what comes from then on", async () => {
    const run = await claimed();
    await core.attempts.append(run, 1, big(3, 10));
    const events = (await follow(run, { after: "4-2" }))[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject(resync(run.runId, 1, "1-3"));
    await core.attempts.append(run, 4, big(1, 10));
    expect((await events.next()).value).toMatchObject([{ id: "1-4" }]);
    await events.return?.();
  });

  test("from beyond the end of a run that has ended is answered with the state and the end", async () => {
    const run = await claimed();
    await core.attempts.finish(run, success, 1, big(1, 10));
    expect(await collect(await follow(run, { after: "1-3" }))).toMatchObject([
      ...resync(run.runId, 1, "1-1"),
      { id: "1-2", event: "end", data: success.answer },
    ]);
    // The id of what it was told leads on from there.
    expect(ids(await collect(await follow(run, { after: "1-1" })))).toEqual(["1-2"]);
  });

  test("of events that have expired is answered with the state and the end", async () => {
    const run = await claimed();
    await core.attempts.finish(run, success, 1, big(5, 10));
    await core.redis.del(eventsKey(run));
    expect(await collect(await follow(run, { after: "1-2" }))).toMatchObject([
      ...resync(run.runId, 1, "1-5"),
      { id: "1-6", event: "end", data: success.answer },
    ]);
    expect(ids(await collect(await follow(run, { after: "1-6" })))).toEqual(["1-6"]);
  });

  test("of a run that keeps no state is answered with the newest values of its stream, else with nothing in them", async () => {
    const stateless = await claimed({ lifetime: "delete" });
    const first = async () => {
      const { threadId, runId } = stateless;
      const events = await core.runs.follow(threadId, runId, { after: "9-9" }, async () => undefined);
      const reader = events[Symbol.asyncIterator]();
      const { value } = await reader.next();
      await reader.return?.();
      return value;
    };
    expect(await first()).toMatchObject(resync(stateless.runId, 1, "1-0", "{}"));
    await core.attempts.append(stateless, 1, [...values('{"at":1}'), ...values('{"at":2}')]);
    for (let seq = 3; seq < 500; seq += 100) await core.attempts.append(stateless, seq, big(100, 10));
    expect(await first()).toMatchObject(resync(stateless.runId, 1, "1-502", '{"at":2}'));
  });
});

describe("after a failover that lost the newest events", () => {
  async function followedTo(seq: number) {
    const run = await claimed();
    const reader = (await follow(run, "start"))[Symbol.asyncIterator]();
    await core.attempts.append(run, 1, big(seq, 10));
    let last: EventId | undefined;
    while (last !== `1-${seq}`) last = ((await reader.next()).value as RunEvent[]).at(-1)?.id;
    return { run, reader };
  }

  test("a client that had them is told where the run is now", async () => {
    const { run, reader } = await followedTo(9);
    await loseAfter(run, "1-4");
    await reconnect();
    expect((await reader.next()).value).toMatchObject(resync(run.runId, 1, "1-4"));
    await core.attempts.append(run, 5, big(1, 10));
    expect((await reader.next()).value).toMatchObject([{ id: "1-5" }]);
    await reader.return?.();
  });

  test("without a reconnection it learns of it within seconds", async () => {
    const { run, reader } = await followedTo(9);
    await loseAfter(run, "1-4");
    expect((await reader.next()).value).toMatchObject(resync(run.runId, 1, "1-4"));
    await reader.return?.();
  });

  test("a client that meets another owner at the same attempt is told where the run is now", async () => {
    const { run, reader } = await followedTo(3);
    // The claim was lost as well, and the run was claimed once more, under the same number.
    await loseAfter(run, "0-1");
    await core.attempts.release(run);
    await core.redis.hset(recordKey(run), "attempt", 0);
    const again = await core.claim(run.threadId);
    expect(again.attempt).toBe(1);
    await core.attempts.append(again, 1, values('{"second":true}'));
    const { value } = await reader.next();
    expect(value).toMatchObject(resync(run.runId, 1, expect.stringMatching(/^1-[01]$/) as unknown as string));
    await core.attempts.finish(again, success, 2, big(3, 10));
    const rest: RunEvent[] = [];
    for (let next = await reader.next(); !next.done; next = await reader.next()) rest.push(...next.value);
    expect(ids(rest).slice(-4)).toEqual(["1-2", "1-3", "1-4", "1-5"]);
  });

  test("a gap inside the stream is told, not passed over", async () => {
    const { run, reader } = await followedTo(9);
    await loseAfter(run, "1-4");
    // Its worker knew that they had been stored, and went on.
    await core.attempts.append(run, 10, big(1, 10));
    expect((await reader.next()).value).toMatchObject([{ id: "1-10" }]);
    const late = (await follow(run, { after: "1-2" }))[Symbol.asyncIterator]();
    expect(ids((await late.next()).value as RunEvent[])).toEqual(["1-3", "1-4"]);
    expect((await late.next()).value).toMatchObject(resync(run.runId, 1, "1-10"));
    await Promise.all([reader.return?.(), late.return?.()]);
  });
});

test("those who wait for the end alone are not told the state", async () => {
  const run = await claimed();
  const waiting = collect(await core.runs.follow(run.threadId, run.runId, { after: "8-8" }));
  await core.attempts.finish(run, success, 1, []);
  expect(ids(await waiting)).toEqual(["1-1"]);
});

test("a state that can't be read ends the follow with what went wrong", async () => {
  const run = await claimed();
  const failing = async () => Promise.reject(new Error(`no state ${randomUUID()}`));
  const events = await core.runs.follow(run.threadId, run.runId, { after: "8-8" }, failing);
  await expect(collect(events)).rejects.toThrow("no state");
});
