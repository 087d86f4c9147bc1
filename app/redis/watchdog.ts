/**
 * Notices connections that are open and of no use: half-open ones, whose other side has gone without a word (a subscriber
 * never writes, so it would wait for ever; a command would cost its whole time-out, each time), and those to a Redis that
 * was demoted (no error ever reaches a subscriber there). Such a connection is cut, and the client makes it anew.
 *
 * `ROLE` asks for both in one; under RESP3 a subscribed connection may ask it as well.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Cluster, type Redis as Standalone } from "ioredis";
import type { Log } from "../telemetry/log.js";

export interface WatchTimes {
  everyMs: number;
  /** What an answer may take; shorter than `everyMs`. */
  limitMs: number;
}

export const WATCH_TIMES: WatchTimes = { everyMs: 5_000, limitMs: 2_000 };

/** An answer that is late by our own doing: a loop that stood still has not read it yet. */
const OWN_DELAY_MS = 250;

/** The event of a connection that the watchdog has cut. */
export const CUT = "watchdog cut";

/** Until the connection is closed for good. @param names what the log says of it */
export function watch(redis: Standalone | Cluster, times: WatchTimes, log: Log, names: { use: string }): void {
  let cuts = 0;
  const check = async (node: Standalone) => {
    const trouble = await troubleOf(node, times.limitMs);
    if (trouble === undefined) return;
    cuts++;
    log.warn({ event: "redis_watchdog", ...names, reason: trouble, cuts }, "a redis connection is made anew");
    redis.emit(CUT);
    node.disconnect(true);
  };
  const timer = setInterval(() => {
    for (const node of nodesOf(redis)) void check(node);
  }, times.everyMs);
  timer.unref();
  redis.on("end", () => clearInterval(timer));
}

/** Of a cluster: those to its masters, and those of its subscriber to each, which its client keeps to itself. */
export function nodesOf(redis: Standalone | Cluster): Standalone[] {
  if (!(redis instanceof Cluster)) return [redis];
  const { shardedSubscribers } = redis as unknown as ShardedCluster;
  const subscribers = [...(shardedSubscribers?.shardedSubscribers.values() ?? [])].map((each) => each.getInstance());
  return [...redis.nodes("master"), ...subscribers.filter((each) => each !== null)];
}

interface ShardedCluster {
  shardedSubscribers?: { shardedSubscribers: Map<string, { getInstance(): Standalone | null }> };
}

/** Why the connection is of no use; undefined when it is, or when its client knows already. */
async function troubleOf(node: Standalone, limitMs: number): Promise<string | undefined> {
  const { stream } = node;
  const asked = performance.now();
  if (node.status === "ready") {
    const role = await roleOf(node, limitMs);
    if (role !== SILENT) return role === "slave" ? "it leads to a replica" : undefined;
  } else if (node.status === "connect") {
    // The client limits how long it takes to connect, but not the greeting that follows.
    await delay(limitMs, undefined, { ref: false });
    if (node.status !== "connect") return undefined;
  } else return undefined;
  const ownDelay = performance.now() - asked - limitMs > OWN_DELAY_MS;
  return node.stream !== stream || ownDelay ? undefined : `no answer within ${limitMs} ms`;
}

const SILENT = undefined;

function roleOf(node: Standalone, limitMs: number): Promise<string | typeof SILENT> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => resolve(SILENT), limitMs);
    // A refusal is an answer; and of a connection that closed meanwhile its client knows.
    const onError = (error: Error) => resolve(error.message === "Command timed out" ? SILENT : "unknown");
    node
      .role()
      .then(([role]) => resolve(String(role)), onError)
      .finally(() => clearTimeout(limit));
  });
}
