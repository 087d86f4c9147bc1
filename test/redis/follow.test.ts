import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { partitionOf } from "../../app/redis/partitions.js";
import type { NewEvent } from "../../app/runs/attempts.js";
import { Runs } from "../../app/runs/runs.js";
import type { ClaimedRun, RunEvent } from "../../app/runs/types.js";
import { type Core, collect, newRun, silent, startCore, success } from "../support/core.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
beforeEach(async () => {
  await core.admin.flushall();
});
afterAll(() => core.stop());

const numbered = (from: number, count: number, bytes = 1): NewEvent[] =>
  Array.from({ length: count }, (_, at) => ({
    event: "custom",
    data: JSON.stringify(`${from + at} `.padEnd(bytes, "x")),
  }));
const ids = (events: RunEvent[]) => events.map(({ id }) => id);
const idsTo = (last: number) => ["1-0", ...Array.from({ length: last }, (_, at) => `1-${at + 1}`)];

/** A claimed run with its follower from the start. */
async function followed() {
  const run = newRun();
  const follow = await core.runs.follow(run.threadId, run.runId, "new");
  await core.runs.enqueue(run);
  return { run, follow, claimed: await core.claim(run.threadId) };
}

describe("following a run", () => {
  test("every event comes once, in order, and `end` last, with what wait answers", async () => {
    const { follow, claimed } = await followed();
    const all = collect(follow);
    await core.attempts.append(claimed, 1, numbered(1, 3));
    await core.attempts.append(claimed, 4, numbered(4, 1));
    await core.attempts.finish(claimed, success, 5, numbered(5, 2));
    const events = await all;
    expect(ids(events)).toEqual(idsTo(7));
    expect(events.at(-1)).toMatchObject({ event: "end", data: success.answer });
    expect(events.map(({ threadSeq }) => threadSeq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a run that goes with its thread while its follower hears nothing ends for that one, too", async () => {
    const run = newRun();
    const follow = await core.runs.follow(run.threadId, run.runId, "new");
    await core.runs.enqueue(run);
    follow.accepted();
    const all = collect(follow);
    // Without a word to followers, as when Redis restarts while a thread is deleted.
    const keys = await core.admin.keys(`{sw:${partitionOf(run.threadId)}}:*`);
    await core.admin.del(...keys);
    await core.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
    expect((await all).map(({ event }) => event)).toEqual(["end"]);
  });

  test("events are numbered on over the runs of a thread", async () => {
    const { run, claimed, follow } = await followed();
    follow.close();
    await core.attempts.finish(claimed, success, 1, []);
    const next = newRun({ threadId: run.threadId });
    const events = await core.runs.follow(next.threadId, next.runId, "new");
    await core.runs.enqueue(next);
    await core.attempts.finish(await core.claim(run.threadId), success, 1, []);
    expect((await collect(events)).map(({ threadSeq }) => threadSeq)).toEqual([3, 4]);
  });

  test("a message that comes with the subscription, of an event that the client has, is not told again", async () => {
    const run = newRun();
    await core.runs.enqueue(run);
    const heard = vi.fn();
    const { subscriber } = core;
    subscriber.on("smessage", heard);
    const subscribe = subscriber.ssubscribe.bind(subscriber);
    let claiming: Promise<ClaimedRun> | undefined;
    vi.spyOn(subscriber, "ssubscribe").mockImplementationOnce(async (channel) => {
      const count = await subscribe(String(channel));
      claiming = core.claim(run.threadId);
      await vi.waitFor(() => expect(heard).toHaveBeenCalled());
      return count;
    });
    const joined = collect(await core.runs.follow(run.threadId, run.runId, { after: "1-0" }));
    if (!claiming) expect.fail("nobody subscribed");
    await core.attempts.finish(await claiming, success, 1, numbered(1, 1));
    expect(ids(await joined)).toEqual(["1-1", "1-2"]);
    subscriber.off("smessage", heard);
  });

  test("a message too long to publish is read from the stream", async () => {
    const { follow, claimed } = await followed();
    const all = collect(follow);
    await core.attempts.append(claimed, 1, numbered(1, 1, 200_000));
    await core.attempts.finish(claimed, success, 2, []);
    const events = await all;
    expect(ids(events)).toEqual(idsTo(2));
    expect(events[1]?.data).toHaveLength(200_002);
  });

  test("what is published while the subscriber is away is repaired, without a gap or a repetition", async () => {
    const { follow, claimed } = await followed();
    const seen: RunEvent[] = [];
    const all = (async () => {
      for await (const batch of follow) seen.push(...batch);
    })();
    await core.attempts.append(claimed, 1, numbered(1, 1));
    await vi.waitFor(() => expect(seen).toHaveLength(2));
    await core.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
    for (let seq = 2; seq <= 200; seq++) await core.attempts.append(claimed, seq, numbered(seq, 1));
    await core.attempts.finish(claimed, success, 201, []);
    await all;
    expect(ids(seen)).toEqual(idsTo(201));
  });

  test("messages that are lost without a word are found within seconds, a stateless run's last one too", async () => {
    const [thread, stateless] = [newRun(), newRun({ lifetime: "delete" })];
    const ends = await Promise.all(
      [thread, stateless].map(async (run) => {
        const all = collect(await core.runs.follow(run.threadId, run.runId, "new"));
        await core.runs.enqueue(run);
        const claimed = await core.claim(run.threadId);
        // Behind the follower's back, as when a connection is dead and nobody has noticed.
        await core.subscriber.sunsubscribe(core.keys.of(run.threadId, "follow", run.threadId));
        await core.attempts.finish(claimed, success, 1, numbered(1, 2));
        return all;
      }),
    );
    for (const events of ends) expect(ids(events)).toEqual(idsTo(3));
  });

  test("a reader that stands still costs a bounded memory and still gets everything", async () => {
    const { follow, claimed } = await followed();
    const reader = follow[Symbol.asyncIterator]();
    for (let batch = 0; batch < 100; batch++)
      await core.attempts.append(claimed, 1 + batch * 10, numbered(1 + batch * 10, 10, 3_000));
    await core.attempts.finish(claimed, success, 1_001, []);
    const rest: RunEvent[] = [];
    let heldBytes = 0;
    for (let batch = await reader.next(); !batch.done; batch = await reader.next()) {
      heldBytes ||= batch.value.reduce((sum: number, event: RunEvent) => sum + event.data.length, 0);
      rest.push(...batch.value);
    }
    expect(ids(rest)).toEqual(idsTo(1_001));
    expect(heldBytes).toBeLessThanOrEqual(1024 * 1024);
  });
});

describe("a stream that is gone", () => {
  test("because Redis is away for longer than workers keep their runs ends the follow", async () => {
    const runs = new Runs({ ...core, commands: core.redis, outageSeconds: 0.5, log: silent });
    const { run, follow, claimed } = await followed();
    follow.close();
    await core.attempts.append(claimed, 1, numbered(1, 1));
    const reads = vi.spyOn(core.redis, "xrange").mockRejectedValue(new Error("Connection is closed."));
    const asked = performance.now();
    await expect(collect(await runs.follow(run.threadId, run.runId, "start"))).rejects.toThrow("Connection is closed.");
    expect(performance.now() - asked).toBeGreaterThan(500);
    reads.mockRestore();
    runs.close();
  });

  const xranges = async () => {
    const calls = /cmdstat_xrange:calls=(\d+)/.exec(await core.admin.info("commandstats"))?.[1];
    return Number(calls ?? 0);
  };

  test("a reader that comes back after its events expired is told the end, and does not ask for ever", async () => {
    const { run, follow, claimed } = await followed();
    const reader = follow[Symbol.asyncIterator]();
    await reader.next();
    await core.attempts.append(claimed, 1, numbered(1, 1, 200_000));
    await core.attempts.finish(claimed, success, 2, []);
    await core.redis.del(core.keys.of(run.threadId, "events", run.runId));
    const before = await xranges();
    expect((await reader.next()).value).toMatchObject([{ event: "end", data: success.answer }]);
    expect((await reader.next()).done).toBe(true);
    expect((await xranges()) - before).toBeLessThanOrEqual(2);
  });

  test("of a run that goes on it tells what comes, and no end", async () => {
    const { run, follow, claimed } = await followed();
    follow.close();
    await core.redis.del(core.keys.of(run.threadId, "events", run.runId));
    const state = async () => '{"steps":0}';
    const joined = (await core.runs.follow(run.threadId, run.runId, "start", state))[Symbol.asyncIterator]();
    expect(await joined.next()).toMatchObject({ value: [{ event: "metadata" }, { data: '{"steps":0}' }] });
    await core.attempts.append(claimed, 1, numbered(1, 1));
    expect(await joined.next()).toMatchObject({ value: [{ id: "1-1" }] });
    await joined.return?.();
  });

  test("of a run that was deleted it ends, and who comes later is refused", async () => {
    const { run, follow, claimed } = await followed();
    const reader = follow[Symbol.asyncIterator]();
    await reader.next();
    await core.admin.flushall();
    await core.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
    expect(await reader.next()).toMatchObject({ value: [{ event: "end", id: "" }] });
    expect((await reader.next()).done).toBe(true);
    await expect(core.runs.follow(run.threadId, run.runId, { after: "1-0" })).rejects.toMatchObject({
      reason: "run_missing",
    });
    expect(await core.attempts.append(claimed, 1, numbered(1, 1))).toBe("lost");
  });
});

describe("joining late", () => {
  test("from the start, after an id, and from now on", async () => {
    const { run, claimed, follow } = await followed();
    follow.close();
    await core.attempts.append(claimed, 1, numbered(1, 500));
    const join = (from: "start" | "now" | { after: string }) => core.runs.follow(run.threadId, run.runId, from);
    const follows = [await join("start"), await join({ after: "1-490" }), await join("now")];
    const all = Promise.all(follows.map(collect));
    await core.attempts.append(claimed, 501, numbered(501, 1));
    await core.attempts.finish(claimed, success, 502, []);
    const [start = [], after = [], now = []] = await all;
    expect(ids(start)).toEqual(idsTo(502));
    expect(ids(after)).toEqual(idsTo(502).slice(491));
    expect(ids(now)).toEqual(["1-501", "1-502"]);
  });

  test("whatever id it names, the internal first event stays inside", async () => {
    const { run, claimed, follow } = await followed();
    follow.close();
    await core.attempts.finish(claimed, success, 1, []);
    const events = await collect(await core.runs.follow(run.threadId, run.runId, { after: "0-0" }));
    expect(ids(events)).toEqual(["1-0", "1-1"]);
  });

  test("a run that has ended answers with its end", async () => {
    const { run, claimed, follow } = await followed();
    follow.close();
    await core.attempts.finish(claimed, success, 1, numbered(1, 1));
    for (const from of ["now", { after: "1-1" }, { after: "1-2" }] as const)
      expect(ids(await collect(await core.runs.follow(run.threadId, run.runId, from)))).toEqual(["1-2"]);
  });

  test("a run whose events have expired still answers from its record", async () => {
    const { run, claimed, follow } = await followed();
    follow.close();
    await core.attempts.finish(claimed, success, 1, []);
    await core.redis.del(core.keys.of(run.threadId, "events", run.runId));
    const events = await collect(await core.runs.follow(run.threadId, run.runId, "start"));
    expect(events).toMatchObject([{ event: "end", data: success.answer }]);
  });

  test("a run that does not exist is refused", async () => {
    await expect(core.runs.follow(uuid(), uuid(), "now")).rejects.toMatchObject({ reason: "run_missing" });
  });
});
