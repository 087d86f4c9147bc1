/** A worker's writes outlive an outage of Redis: they are idempotent, so they are sent again until Redis answers. */
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../telemetry/log.js";

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

/** Answers that say "not now"; any other error reply is a bug, which no repetition mends. */
const PASSING = /^(OOM|LOADING|READONLY|MASTERDOWN|TRYAGAIN|CLUSTERDOWN|BUSY)\b/;

/**
 * Calls `write` until it is answered.
 * @throws the error reply of Redis when it is no passing one, or the reason of `signal`
 */
export async function persist<T>(write: () => Promise<T>, signal: AbortSignal, log: Log): Promise<T> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof Error) || (error.name === "ReplyError" && !PASSING.test(error.message))) throw error;
      signal.throwIfAborted();
      log.warn(
        { event: "redis_retry", reason: error.message, waitMs: wait },
        "redis did not take a write; trying again",
      );
      await delay(wait, undefined, { signal });
    }
  }
}
