/** Workers' claim loops on a cluster: a loop for each partition, and no more runs than slots. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { connect } from "../../app/redis/connect.js";
import { PARTITIONS } from "../../app/redis/partitions.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { ClaimLoop } from "../../app/worker/claimLoop.js";
import { Slots } from "../../app/worker/slots.js";
import { type ClusterCore, startClusterCore, threadOfEachPartition } from "../support/cluster.js";
import { newRun, silent, success } from "../support/core.js";

let core: ClusterCore;
beforeAll(async () => {
  core = await startClusterCore();
});
beforeEach(async () => {
  await Promise.all(core.cluster.admins.map((admin) => admin.flushall()));
});
afterAll(() => core.stop());

/** Claims as a worker does, and holds each run until it is told to end it. */
function startClaims(size: number) {
  const slots = new Slots<ClaimedRun>(size);
  const claimed: ClaimedRun[] = [];
  let most = 0;
  const loops = Array.from({ length: PARTITIONS }, (_, partition) => {
    const loop = new ClaimLoop({
      ...core,
      blocking: connect(core.cluster.login, "blocking", silent),
      partitions: [partition],
      slots,
      graphs: ["echo", "writer"],
      leaseMs: 30_000,
      onRun(run) {
        slots.take(run.runId, run);
        claimed.push(run);
        most = Math.max(most, slots.used);
      },
      log: silent,
    });
    loop.start();
    return loop;
  });
  return {
    claimed,
    slots,
    get most() {
      return most;
    },
    async end(run: ClaimedRun) {
      await core.attempts.finish(run, success, 1, []);
      slots.release(run.runId);
    },
    async stop() {
      slots.close();
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

const enqueue = (threads: string[]) =>
  Promise.all(threads.map((threadId) => core.runs.enqueue(newRun({ threadId })).then(({ runId }) => runId)));

const commandCalls = async (name: string) =>
  (await Promise.all(core.cluster.admins.map((admin) => admin.info("commandstats"))))
    .map((stats) => Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, "m").exec(stats)?.[1] ?? 0))
    .reduce((sum, calls) => sum + calls, 0);

test("a worker with three slots runs a backlog of all partitions, three at a time, each run once", async () => {
  const worker = startClaims(3);
  const runs = (await Promise.all([1, 2, 3].map(() => enqueue(threadOfEachPartition())))).flat();
  let ended = 0;
  while (ended < runs.length) {
    await vi.waitFor(() => expect(worker.claimed.length).toBeGreaterThan(ended), { timeout: 5_000, interval: 5 });
    const run = worker.claimed[ended++];
    if (run) await worker.end(run);
  }
  expect(worker.claimed.map(({ runId }) => runId).sort()).toEqual(runs.sort());
  expect(worker.most).toBe(3);
  await worker.stop();
});

test("a backlog costs a full worker some calls a run, not some for each partition", async () => {
  const worker = startClaims(1);
  const runs = await enqueue(Array.from({ length: 5 }, threadOfEachPartition).flat());
  await vi.waitFor(() => expect(worker.claimed.length).toBe(1));
  // All other loops stand in line once their first pop has ended.
  await vi.waitFor(async () => expect(await commandCalls("blpop")).toBeGreaterThanOrEqual(PARTITIONS));
  await Promise.all(core.cluster.admins.map((admin) => admin.config("RESETSTAT")));
  for (let ended = 0; ended < 48; ended++) {
    const run = worker.claimed[ended];
    if (!run) expect.fail(`run ${ended} of ${runs.length} was not claimed`);
    await worker.end(run);
    await vi.waitFor(() => expect(worker.claimed.length).toBe(ended + 2), { timeout: 5_000, interval: 2 });
  }
  expect(await commandCalls("lmpop")).toBeLessThan(2 * 48);
  expect(await commandCalls("blpop")).toBeLessThan(48);
  await worker.stop();
});

test("what a full worker can't take another one has at once", async () => {
  const [full, free] = [startClaims(1), startClaims(20)];
  for (let round = 1; round <= 5; round++) {
    await enqueue(threadOfEachPartition());
    await vi.waitFor(() => expect(full.claimed.length + free.claimed.length).toBe(round * PARTITIONS), {
      timeout: 1_000,
      interval: 5,
    });
    expect(full.most).toBeLessThanOrEqual(1);
    for (const run of free.slots.values()) await free.end(run);
  }
  await Promise.all([full.stop(), free.stop()]);
});

test("loops whose connections were cut go on, and a loop that stops leaves the runs to others", async () => {
  const worker = startClaims(100);
  await vi.waitFor(async () => expect(await commandCalls("blpop")).toBeGreaterThanOrEqual(PARTITIONS));
  await enqueue(threadOfEachPartition());
  await vi.waitFor(() => expect(worker.claimed).toHaveLength(PARTITIONS));
  for (const admin of core.cluster.admins) await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await vi.waitFor(() => enqueue(threadOfEachPartition().slice(0, 1)), { timeout: 5_000 });
  await enqueue(threadOfEachPartition());
  await vi.waitFor(() => expect(worker.claimed.length).toBeGreaterThan(2 * PARTITIONS), { timeout: 5_000 });
  const claimed = worker.claimed.length;
  await worker.stop();

  const next = startClaims(100);
  await enqueue(threadOfEachPartition());
  await vi.waitFor(() => expect(next.claimed).toHaveLength(PARTITIONS), { timeout: 5_000 });
  expect(worker.claimed).toHaveLength(claimed);
  await next.stop();
});
