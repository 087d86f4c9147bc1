/** I7, I9, I10: how long things took, and how long keys live. */
import type { Cancel, Fault } from "../history.js";
import { type Case, short } from "./case.js";

const CANCEL_MS = 1_000;
/** Of a request on a busy machine, from its client to Redis. */
const REQUEST_MS = 500;
const READY_MS = 5_000;
/** A client needs so long to find Redis again once that is back: reconnections are tried at growing distances. */
const RECONNECT_MS = 1_000;

/** Of the whole Redis, not of one process's way to it. */
const REDIS_AWAY = new Set(["pause-redis", "restart-redis", "kill-connections", "failover", "lose-master"]);

/** @returns ms from each accepted cancel to the end of its run, those with a fault in that time apart */
export function checkCancels(on: Case): { calm: number[]; disturbed: number[] } {
  const took = { calm: [] as number[], disturbed: [] as number[] };
  for (const cancel of on.history.cancels) {
    if (cancel.status === undefined || cancel.status >= 300) continue;
    const ended = on.run(cancel.runId)?.updatedAt ?? cancel.seenEndedAt;
    if (ended === undefined) continue;
    const faults = on.history.faults.filter(
      ({ from, until }) => from <= ended && until + 2 * on.history.heartbeatMs >= cancel.askedAt,
    );
    (faults.length === 0 ? took.calm : took.disturbed).push(Math.max(0, ended - cancel.askedAt));
    const limit = limitOf(cancel, faults, 2 * on.history.heartbeatMs);
    if (ended > limit)
      on.violate(
        "I7",
        `run ${short(cancel.runId)} ended ${ended - (cancel.answeredAt ?? cancel.askedAt)} ms after its cancel was accepted` +
          (faults.length > 0
            ? `, ${ended - limit} ms too late after ${faults.map(({ kind }) => kind).join(", ")}`
            : ""),
      );
  }
  return took;
}

/**
 * From its answer, when it was accepted at the latest. Who waits is answered at the end, so a second is too much there as
 * well, but not what the request itself takes.
 */
function limitOf({ askedAt, answeredAt = askedAt, wait }: Cancel, faults: Fault[], twoHeartbeatsMs: number): number {
  const accepted = wait ? askedAt + REQUEST_MS : answeredAt;
  return Math.max(
    accepted + CANCEL_MS,
    ...faults.map(({ until }) => Math.max(until, accepted) + twoHeartbeatsMs + RECONNECT_MS),
  );
}

/** Keys of a partition as a whole, and those of what lives until it is deleted. */
const LASTING = new Set([
  "leases",
  "ready",
  "delayed",
  "waiting",
  "wake",
  "cancels",
  "removals",
  "graphs",
  "swept",
  "expiring",
]);
const OF_THREAD = new Set([
  "thread",
  "runs",
  "waiting",
  "history",
  "checkpoints",
  "checkpoint",
  "blobs",
  "trail",
  "order",
  "states",
  "removing",
]);

export function checkKeys(on: Case): void {
  const threads = new Set(Object.keys(on.audit.threads));
  for (const [key, ttl] of Object.entries(on.audit.keys)) {
    const [, kind = "", id = ""] = key.split(":").slice(1);
    if (kind === "run" || kind === "events" || kind === "request") {
      if (ttl < 0 && !openRun(on, id)) on.violate("I9", `${key} has no time to live`);
      continue;
    }
    if (LASTING.has(kind) && id === "") continue;
    if (OF_THREAD.has(kind) && !threads.has(id)) on.violate("I9", `${key} is of a thread that does not exist`);
  }
  for (const { threadId, status, answeredAt = 0 } of on.history.deletions) {
    if (status !== 204) continue;
    const left = Object.keys(on.audit.keys).filter((key) => key.endsWith(threadId) || key.includes(`:${threadId}:`));
    const again = on.history.asked.some(
      (run) => run.threadId === threadId && run.answer === "accepted" && (run.answeredAt ?? 0) > answeredAt,
    );
    if (left.length > 0 && !again)
      on.lostOrViolated(
        on.windowOfTime(answeredAt),
        "I9",
        `thread ${short(threadId)} was deleted, and left ${left.join(", ")}`,
      );
  }
}

const openRun = (on: Case, runId: string) => ["pending", "running"].includes(on.run(runId)?.status ?? "");

/** No run stays claimable for long while there is a worker with a free slot. */
export function checkReady(on: Case): void {
  const since = new Map<string, { from: number; said: boolean }>();
  const leasedIn = new Map<number, number>();
  for (const sample of on.history.samples.toSorted((a, b) => a.at - b.at)) {
    leasedIn.set(sample.partition, sample.leased);
    const leased = [...leasedIn.values()].reduce((sum, count) => sum + count, 0);
    // With fewer runs than one worker has slots every worker has a free one.
    if (leased >= on.history.slots) {
      since.clear();
      continue;
    }
    const present = new Set(sample.ready.map(([runId, attempt]) => `${sample.partition} ${runId} ${attempt}`));
    for (const claimable of since.keys())
      if (claimable.startsWith(`${sample.partition} `) && !present.has(claimable)) since.delete(claimable);
    for (const claimable of present) {
      const wait = since.get(claimable) ?? { from: sample.at, said: false };
      since.set(claimable, wait);
      const allowed = READY_MS + excusedMs(on, wait.from, sample.at);
      if (sample.at - wait.from <= allowed || wait.said) continue;
      wait.said = true;
      on.violate("I10", `run ${short(claimable.split(" ")[1] ?? "")} was claimable for ${sample.at - wait.from} ms`);
    }
  }
}

/** Time in which Redis was away, or no worker was well. */
function excusedMs(on: Case, from: number, until: number): number {
  const overlap = (fault: Fault) => Math.max(0, Math.min(until, fault.until) - Math.max(from, fault.from));
  const away = on.history.faults
    .filter((fault) => REDIS_AWAY.has(fault.kind) && fault.until >= from && fault.from <= until)
    .reduce((sum, fault) => sum + overlap(fault) + RECONNECT_MS, 0);
  return away + withoutWorkerMs(on, from, until);
}

const STEP_MS = 100;

function withoutWorkerMs(on: Case, from: number, until: number): number {
  const workers = on.history.lives.filter(({ role }) => role === "worker");
  let without = 0;
  for (let at = from; at < until; at += STEP_MS) {
    const well = workers.some(
      ({ name, from: born, until: died = Number.POSITIVE_INFINITY }) =>
        born <= at &&
        at <= died &&
        !on.history.faults.some(
          (fault) => fault.target === name && fault.from <= at && at <= fault.until + RECONNECT_MS,
        ),
    );
    if (!well) without += STEP_MS;
  }
  return without;
}
