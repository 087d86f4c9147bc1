/** A worker's writes outlive an outage of Redis: they are idempotent, so they are sent again until Redis answers. */
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../telemetry/log.js";
import { isAway } from "./away.js";
import type { Redis } from "./connect.js";

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

/**
 * Calls `write` until Redis answers it.
 * @throws the error reply of Redis when it is none that passes, or the reason of `signal`
 */
export type Persist = <T>(write: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

/** @param redis the connection of the writes: nothing is tried while it is down, so that no tries queue up in it */
export function createPersist(redis: Redis, log: Log): Persist {
  return async (write, signal) => {
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      try {
        return await write();
      } catch (error) {
        if (!isAway(error)) throw error;
        signal?.throwIfAborted();
        log.warn({ event: "redis_retry", reason: error.message, waitMs: wait }, "redis did not answer; trying again");
        await delay(wait, undefined, { signal });
        if (redis.status !== "ready") await untilReady(redis, signal);
      }
    }
  };
}

/** Not `events.once`: that rejects at the first attempt to connect that fails. @throws the reason of `signal` */
function untilReady(redis: Redis, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      redis.off("ready", settle);
      signal?.removeEventListener("abort", settle);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    redis.on("ready", settle);
    signal?.addEventListener("abort", settle);
    if (signal?.aborted) settle();
  });
}
