import { setTimeout as delay } from "node:timers/promises";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Threads } from "../../app/data/threads.js";
import { type ConnectionUse, connect, type Redis, ready } from "../../app/redis/connect.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { Attempts } from "../../app/runs/attempts.js";
import { scripts } from "../../app/runs/scripts.js";
import { type Core, newRun, silent, soon, startCore, success } from "../support/core.js";
import { startTcpProxy } from "../support/tcpProxy.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
beforeEach(async () => {
  await core.admin.flushall();
});
afterAll(() => core.stop());

const statusOf = async (run: { threadId: string; runId: string }) =>
  (await core.runs.get(run.threadId, run.runId))?.status;
const threadOf = (threadId: string) => core.redis.hgetall(core.keys.of(threadId, "thread", threadId));
/** Another thread's id. */
function inPartitionOf(threadId: string): string {
  for (;;) {
    const id = uuid();
    if (partitionOf(id) === partitionOf(threadId)) return id;
  }
}

/** What a call gets whose connection goes when Redis has executed it, and whose answer is still on the way. */
async function sentTwice<T>(use: ConnectionUse, call: (redis: Redis) => Promise<T>, executed: () => Promise<void>) {
  const { hostname: host, port } = new URL(core.url);
  const proxy = await startTcpProxy({ host, port: Number(port) });
  const redis = connect({ url: core.url.replace(`:${port}`, `:${proxy.port}`) }, use, silent);
  try {
    await ready(redis, 5_000);
    proxy.delay(200);
    const calling = call(redis);
    await soon(executed);
    proxy.delay(0);
    proxy.cut();
    return await calling;
  } finally {
    redis.disconnect();
    await proxy.stop();
  }
}

describe("creating a thread", () => {
  test("tells one that it created from one that was there, also when it is sent twice", async () => {
    const threads = new Threads(core.redis, core.keys);
    const { threadId } = newRun();
    const { created } = await sentTwice(
      "request",
      (redis) => new Threads(redis, core.keys).create({ threadId, metadata: {} }),
      async () => expect(await threads.get(threadId)).toBeDefined(),
    );
    expect(created).toBe(true);
    expect((await threads.create({ threadId, metadata: {} })).created).toBe(false);
  });
});

describe("accepting a run", () => {
  test("the same request again gets the same run, another one under its id is refused", async () => {
    const run = newRun();
    const first = await core.runs.enqueue(run);
    expect(await core.runs.enqueue(run)).toMatchObject({ runId: first.runId, createdAt: first.createdAt });
    await expect(core.runs.enqueue({ ...run, requestHash: "other" })).rejects.toMatchObject({ reason: "id_reused" });
    expect(await core.runs.list(run.threadId, { limit: 10, offset: 0 })).toHaveLength(1);
  });

  test("a stateless run that ended and left no record is still known under its id", async () => {
    const runId = uuid();
    const run = newRun({ runId, threadId: runId, lifetime: "delete" });
    await core.runs.enqueue(run);
    await core.attempts.finish(await core.claim(runId), { ...success, status: "error" }, 1, []);
    expect(await core.runs.enqueue(run)).toMatchObject({ runId, status: "error" });
    await expect(core.runs.enqueue({ ...run, requestHash: "other" })).rejects.toMatchObject({ reason: "id_reused" });
    expect((await core.attempts.claim(partitionOf(runId), ["echo"], 1, 1000)).runs).toEqual([]);
  });

  test("a given id names one request, whichever thread and partition it goes to", async () => {
    const runId = uuid();
    const requests = Array.from({ length: 40 }, (_, at) => newRun({ runId, idIsGiven: true, requestHash: `${at}` }));
    const answers = await Promise.allSettled(requests.map((run) => core.runs.enqueue(run)));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("a given id stays taken when someone deletes it on a thread where it is not", async () => {
    const run = newRun({ idIsGiven: true });
    await core.runs.enqueue(run);
    expect(await core.removals.deleteRun(uuid(), run.runId)).toBe(false);
    const other = newRun({ runId: run.runId, idIsGiven: true, requestHash: "other" });
    await expect(core.runs.enqueue(other)).rejects.toMatchObject({ reason: "id_reused" });
  });

  test("a given id whose request was refused may be used again", async () => {
    const refused = newRun({ idIsGiven: true, ifNotExists: "reject" });
    await expect(core.runs.enqueue(refused)).rejects.toMatchObject({ reason: "thread_missing" });
    expect((await core.admin.keys("*")).filter((key) => key.includes(refused.runId))).toEqual([]);
    await core.runs.enqueue({ ...refused, ifNotExists: "create", requestHash: "mended" });
  });

  test("a stateless run can't take the id of a thread, and its own thread takes no other run", async () => {
    const thread = newRun();
    await core.runs.enqueue(thread);
    const clash = newRun({ runId: thread.threadId, threadId: thread.threadId, lifetime: "delete" });
    await expect(core.runs.enqueue(clash)).rejects.toMatchObject({ reason: "id_taken" });

    const runId = uuid();
    await core.runs.enqueue(newRun({ runId, threadId: runId, lifetime: "delete" }));
    const intruder = newRun({ threadId: runId, ifNotExists: "reject" });
    await expect(core.runs.enqueue(intruder)).rejects.toMatchObject({ reason: "thread_missing" });
  });

  test("when Redis is full new runs are refused, and accepted ones reach their end", async () => {
    const run = newRun();
    await core.runs.enqueue(run);
    await core.admin.config("SET", "maxmemory", "1");
    try {
      await expect(core.runs.enqueue(newRun())).rejects.toThrow("OOM");
      const claimed = await core.claim(run.threadId);
      expect(await core.attempts.append(claimed, 1, [{ event: "values", data: "{}" }])).toBe("kept");
      expect(await core.attempts.heartbeat(partitionOf(run.threadId), [claimed], 30_000)).toEqual([]);
      expect(await core.attempts.finish(claimed, success, 2, [])).toBe("ended");
    } finally {
      await core.admin.config("SET", "maxmemory", "0");
    }
    expect(await statusOf(run)).toBe("success");
  });

  test("a missing thread is refused, and nothing is left behind", async () => {
    const run = newRun({ ifNotExists: "reject" });
    await expect(core.runs.enqueue(run)).rejects.toMatchObject({ reason: "thread_missing" });
    expect(await core.redis.exists(core.keys.of(run.threadId, "thread", run.threadId))).toBe(0);
    expect(await core.redis.exists(core.keys.of(run.threadId, "run", run.runId))).toBe(0);
  });

  test("reject counts pending, running and delayed runs, and leaves nothing behind", async () => {
    const threadId = uuid();
    await core.runs.enqueue(newRun({ threadId, afterMs: 60_000 }));
    const refused = newRun({ threadId, strategy: "reject" });
    await expect(core.runs.enqueue(refused)).rejects.toMatchObject({ reason: "thread_busy" });
    expect(await core.runs.get(threadId, refused.runId)).toBeUndefined();
  });
});

describe("the order of a thread", () => {
  test("runs start one at a time, as they were accepted", async () => {
    const threadId = uuid();
    const runs = [newRun({ threadId }), newRun({ threadId }), newRun({ threadId })];
    for (const run of runs) await core.runs.enqueue(run);
    const started: string[] = [];
    for (const _ of runs) {
      const run = await core.claim(threadId);
      started.push(run.runId);
      expect((await core.attempts.claim(partitionOf(threadId), ["echo"], 10, 1000)).runs).toEqual([]);
      await core.attempts.finish(run, success, 1, []);
    }
    expect(started).toEqual(runs.map((run) => run.runId));
    expect(await threadOf(threadId)).toMatchObject({ status: "idle", active: "", open: "0", values: '{"done":true}' });
  });

  test("a delayed run waits for its time, and later ones go before it", async () => {
    const threadId = uuid();
    const delayed = newRun({ threadId, afterMs: 150 });
    const later = newRun({ threadId });
    await core.runs.enqueue(delayed);
    await core.runs.enqueue(later);
    const first = await core.claim(threadId);
    expect(first.runId).toBe(later.runId);
    await core.attempts.finish(first, success, 1, []);
    const { dueInMs } = await core.attempts.claim(partitionOf(threadId), ["echo"], 1, 1000);
    expect(dueInMs).toBeGreaterThan(0);
    expect(dueInMs).toBeLessThanOrEqual(150);
    const second = await vi.waitFor(() => core.claim(threadId));
    expect(second.runId).toBe(delayed.runId);
  });

  test("one that was due stays first, also when more are due than one call promotes", async () => {
    const { threadId } = newRun();
    const delayed = Array.from({ length: 120 }, () => newRun({ threadId: inPartitionOf(threadId), afterMs: 60_000 }));
    await Promise.all(delayed.map((run) => core.runs.enqueue(run)));
    const first = newRun({ threadId, afterMs: 60_000 });
    await core.runs.enqueue(first);
    const queue = core.keys.of(threadId, "delayed");
    for (const [at, { runId }] of [...delayed, first].entries())
      await core.redis.zadd(queue, Date.now() - 1000 + at, runId);
    await core.runs.enqueue(newRun({ threadId }));
    const { runs } = await core.attempts.claim(partitionOf(threadId), ["echo"], 200, 30_000);
    expect(runs.filter((run) => run.threadId === threadId)).toMatchObject([{ runId: first.runId }]);
  });

  test("a worker gets only runs of graphs that it has loaded", async () => {
    const run = newRun({ graphId: "unknown-here" });
    await core.runs.enqueue(run);
    const partition = partitionOf(run.threadId);
    expect((await core.attempts.claim(partition, ["echo"], 5, 1000)).runs).toEqual([]);
    expect(await statusOf(run)).toBe("pending");
    expect((await core.attempts.claim(partition, ["unknown-here"], 5, 1000)).runs).toMatchObject([
      { runId: run.runId },
    ]);
  });
});

describe("the fence", () => {
  test("after a later attempt was claimed, nothing of the earlier one is written", async () => {
    const run = newRun();
    await core.runs.enqueue(run);
    const first = await core.claim(run.threadId, 1);
    await vi.waitFor(async () => {
      await core.sweep();
      expect(await statusOf(run)).toBe("pending");
    });
    const second = await core.claim(run.threadId);
    expect(second.attempt).toBe(2);

    const event = { event: "values", data: "{}" };
    expect(await core.attempts.append(first, 1, [event])).toBe("lost");
    expect(await core.attempts.finish(first, success, 1, [])).toBe("lost");
    expect(await core.attempts.release(first)).toBe("lost");
    expect(await core.attempts.heartbeat(partitionOf(run.threadId), [first], 1000)).toEqual([
      { owner: first.owner, word: "lost" },
    ]);
    expect(await core.attempts.append(second, 1, [event])).toBe("kept");
    expect(await core.attempts.finish(second, success, 2, [])).toBe("ended");
    expect(await statusOf(run)).toBe("success");
  });

  test("a repeated append or finish of the owner changes nothing", async () => {
    const run = newRun();
    await core.runs.enqueue(run);
    const claimed = await core.claim(run.threadId);
    const events = [
      { event: "values", data: "1" },
      { event: "values", data: "2" },
    ];
    for (const _ of [1, 2]) expect(await core.attempts.append(claimed, 1, events)).toBe("kept");
    for (const _ of [1, 2]) expect(await core.attempts.finish(claimed, success, 3, [])).toBe("ended");
    const stored = await core.redis.xrange(core.keys.of(run.threadId, "events", run.runId), "-", "+");
    expect(stored.map(([id]) => id)).toEqual(["0-1", "1-0", "1-1", "1-2", "1-3"]);
  });
});

describe("leases", () => {
  test("a claim whose answer was lost is answered again, and costs no attempt", async () => {
    const run = newRun();
    await core.runs.enqueue(run);
    const leases = core.keys.in(partitionOf(run.threadId), "leases");
    const ask = (again: 0 | 1) => scripts.claim.run(core.redis, leases, 1, "nonce", 30_000, again, "echo");
    const [, lost] = (await ask(0)) as [number, string[]];
    const [, found] = (await ask(1)) as [number, string[]];
    expect(found.slice(0, 7)).toEqual(lost.slice(0, 7));
    expect(await core.runs.get(run.threadId, run.runId)).toMatchObject({ attempt: 1, status: "running" });
  });

  test.each([1, 2])("a claim that is sent twice, because its connection went, takes one run of %i", async (count) => {
    const first = newRun();
    const second = newRun({ threadId: inPartitionOf(first.threadId) });
    for (const run of [first, second].slice(0, count)) await core.runs.enqueue(run);
    const { runs } = await sentTwice(
      "worker",
      (redis) => new Attempts(redis, core.keys).claim(partitionOf(first.threadId), ["echo"], 1, 30_000),
      async () => expect(await statusOf(first)).toBe("running"),
    );
    expect(runs).toMatchObject([{ runId: first.runId, attempt: 1 }]);
    if (count === 2) expect(await statusOf(second)).toBe("pending");
  });

  test("a claim whose answer is read when its lease is over hands out nothing that another one has", async () => {
    const run = newRun();
    await core.runs.enqueue(run);
    const { hostname: host, port } = new URL(core.url);
    const proxy = await startTcpProxy({ host, port: Number(port) });
    const redis = connect({ url: core.url.replace(`:${port}`, `:${proxy.port}`) }, "worker", silent);
    try {
      await ready(redis, 5_000);
      proxy.delay(300);
      const claiming = new Attempts(redis, core.keys).claim(partitionOf(run.threadId), ["echo"], 1, 200);
      await soon(async () => expect(await statusOf(run)).toBe("running"));
      await soon(async () => {
        await core.sweep();
        expect(await statusOf(run)).toBe("pending");
      });
      const other = await core.claim(run.threadId);
      expect((await claiming).runs).toEqual([]);
      expect(await core.attempts.append(other, 1, [{ event: "values", data: "{}" }])).toBe("kept");
    } finally {
      redis.disconnect();
      await proxy.stop();
    }
  });

  test("a claim that finds no node of a cluster is tried again, and lets others have their turn", async () => {
    const redis = connect({ url: "redis://127.0.0.1:1", cluster: true }, "worker", silent);
    try {
      await delay(50);
      let turns = 0;
      const turning = setInterval(() => turns++, 10);
      await expect(new Attempts(redis, core.keys).claim(0, ["echo"], 1, 1_000)).rejects.toThrow("Cluster isn't ready");
      clearInterval(turning);
      expect(turns).toBeGreaterThan(10);
    } finally {
      redis.disconnect();
    }
  });

  test("the third lost worker ends a run with an error, and the next run of the thread starts", async () => {
    const run = newRun();
    const next = newRun({ threadId: run.threadId });
    await core.runs.enqueue(run);
    await core.runs.enqueue(next);
    for (const _ of [1, 2, 3]) {
      await core.claim(run.threadId, 1);
      await vi.waitFor(async () => {
        await core.sweep();
        expect(await statusOf(run)).not.toBe("running");
      });
    }
    expect(await core.runs.get(run.threadId, run.runId)).toMatchObject({ status: "error", attempt: 3 });
    expect((await core.claim(run.threadId)).runId).toBe(next.runId);
  });

  test("a renewed lease does not expire", async () => {
    const run = newRun();
    await core.runs.enqueue(run);
    const claimed = await core.claim(run.threadId, 1);
    expect(await core.attempts.heartbeat(partitionOf(run.threadId), [claimed], 30_000)).toEqual([]);
    await core.sweep();
    expect(await statusOf(run)).toBe("running");
  });

  test("a sweep after an outage extends all leases and takes no run from its worker", async () => {
    const run = newRun();
    await core.runs.enqueue(run);
    await core.sweep();
    await core.claim(run.threadId, 1);
    const lease = async () =>
      Number(await core.redis.zscore(core.keys.in(partitionOf(run.threadId), "leases"), run.runId));
    const before = await lease();
    const clock = async () => Number((await core.redis.time())[0]) * 1000 + Number((await core.redis.time())[1]) / 1000;
    // Sweeps are due each millisecond here, so twenty are a long pause.
    await expect.poll(clock, { interval: 5 }).toBeGreaterThan(before + 20);
    await core.sweep({ sweepMs: 1, leaseMs: 30_000 });
    expect(await lease()).toBeGreaterThan(before + 29_000);
    expect(await statusOf(run)).toBe("running");
  });

  test("a run that was handed back keeps its place and has not failed", async () => {
    const run = newRun();
    const next = newRun({ threadId: run.threadId });
    await core.runs.enqueue(run);
    await core.runs.enqueue(next);
    expect(await core.attempts.release(await core.claim(run.threadId))).toBe("released");
    const again = await core.claim(run.threadId);
    expect(again).toMatchObject({ runId: run.runId, attempt: 2 });
    expect(await core.redis.hget(core.keys.of(run.threadId, "run", run.runId), "failures")).toBe("0");
  });
});

describe("what a run leaves behind", () => {
  test("a stateless run leaves only its events, for five minutes", async () => {
    const runId = uuid();
    await core.runs.enqueue(newRun({ runId, threadId: runId, lifetime: "delete" }));
    const claimed = await core.claim(runId);
    await core.attempts.finish(claimed, success, 1, []);
    const tag = core.keys.tag(partitionOf(runId));
    expect((await core.admin.keys("*")).filter((key) => key.includes(runId))).toEqual([`${tag}:events:${runId}`]);
    const ttl = await core.redis.pttl(`${tag}:events:${runId}`);
    expect(ttl).toBeGreaterThan(4 * 60_000);
    expect(ttl).toBeLessThanOrEqual(5 * 60_000);
  });

  test("a thread's run keeps its record for a week, and resumable events for an hour", async () => {
    const run = newRun({ payload: { stream_mode: ["values"], stream_resumable: true } });
    await core.runs.enqueue(run);
    await core.attempts.finish(await core.claim(run.threadId), success, 1, []);
    const days = (await core.redis.pttl(core.keys.of(run.threadId, "run", run.runId))) / 86_400_000;
    expect(days).toBeCloseTo(7, 1);
    const hours = (await core.redis.pttl(core.keys.of(run.threadId, "events", run.runId))) / 3_600_000;
    expect(hours).toBeCloseTo(1, 1);
  });
});
