/** What the heartbeat's thread does with the leases of its worker's runs. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { partitionOf } from "../../app/redis/partitions.js";
import type { Attention } from "../../app/runs/attempts.js";
import { hearCancels } from "../../app/runs/control.js";
import { Leases } from "../../app/worker/leases.js";
import { type Core, newRun, silent, startCore } from "../support/core.js";

let core: Core;
let leases: Leases;
let told: Attention[];
beforeAll(async () => {
  core = await startCore();
  await hearCancels(core.subscriber, core.keys, (attention) => leases.hear(attention));
});
afterAll(() => core.stop());
beforeEach(() => {
  told = [];
  const { redis, keys, attempts } = core;
  const settings = { leaseMs: 30_000, sweepMs: 5_000, maxFailures: 3 };
  leases = new Leases({ redis, keys, attempts, settings, tell: (attention) => told.push(attention), log: silent });
});

async function held() {
  const { threadId, runId } = await core.runs.enqueue(newRun());
  const run = await core.claim(threadId);
  leases.hold(run);
  return { ...run, runId };
}
const record = (run: { threadId: string; runId: string }) =>
  core.redis.hgetall(core.keys.of(run.threadId, "run", run.runId));
const statusOf = async (run: { threadId: string; runId: string }) => (await record(run)).status;

test("a lease is renewed for as long as its run is held", async () => {
  const run = await held();
  const deadline = async () => Number(await core.redis.zscore(core.keys.of(run.threadId, "leases"), run.runId));
  await core.redis.zadd(core.keys.of(run.threadId, "leases"), 1, run.runId);
  expect(await leases.renew()).toBe(true);
  expect(await deadline()).toBeGreaterThan(Date.now());
  leases.drop(run.owner);
  await core.redis.zadd(core.keys.of(run.threadId, "leases"), 1, run.runId);
  expect(await leases.renew()).toBe(true);
  expect(await deadline()).toBe(1);
});

test("a cancelled run that the main thread does not end is ended, and the main thread told that it is lost", async () => {
  const run = await held();
  await core.runs.cancel(run.threadId, run.runId);
  core.runs.close();
  await vi.waitFor(() => expect(told).toContainEqual({ owner: run.owner, word: "lost" }), { timeout: 5_000 });
  expect(told[0]).toEqual({ owner: run.owner, word: "interrupt" });
  expect(await statusOf(run)).toBe("interrupted");
  expect(leases.size).toBe(0);
});

test("one that the main thread ends in time is left to it", async () => {
  const run = await held();
  await core.runs.cancel(run.threadId, run.runId);
  core.runs.close();
  await vi.waitFor(() => expect(told).toEqual([{ owner: run.owner, word: "interrupt" }]));
  leases.drop(run.owner);
  const other = await held();
  await core.runs.cancel(other.threadId, other.runId);
  core.runs.close();
  await vi.waitFor(async () => expect(await statusOf(other)).toBe("interrupted"), { timeout: 5_000 });
  expect(await statusOf(run)).toBe("running");
});

test("a cancel that was published in vain is heard from the next beat, and a run that another took is lost", async () => {
  const [cancelled, taken] = [await held(), await held()];
  await core.redis.hset(core.keys.of(cancelled.threadId, "run", cancelled.runId), "cancel", "interrupt");
  await core.redis.hset(core.keys.of(taken.threadId, "run", taken.runId), "owner", "another");
  await leases.renew();
  expect(told).toHaveLength(2);
  expect(told).toContainEqual({ owner: cancelled.owner, word: "interrupt" });
  expect(told).toContainEqual({ owner: taken.owner, word: "lost" });
  expect(leases.size).toBe(1);
  leases.close();
});

test("words of another release that this one does not know, and words about others' runs, are not heeded", async () => {
  const run = await held();
  const channel = core.keys.in(partitionOf(run.threadId), "control");
  for (const word of [`explode ${run.owner}`, "interrupt somebody.1", "", `interrupt ${run.owner}`])
    await core.redis.spublish(channel, word);
  await vi.waitFor(() => expect(told).toEqual([{ owner: run.owner, word: "interrupt" }]));
  leases.close();
});

test("given up, runs are ready again at once with one failure more, whatever beats, also when nobody has swept for long", async () => {
  const run = await held();
  await core.redis.set(core.keys.of(run.threadId, "swept"), 1);
  const forfeited = leases.forfeit();
  await Promise.all([forfeited, leases.renew()]);
  expect(await record(run)).toMatchObject({ status: "pending", failures: "1", owner: "" });
});
