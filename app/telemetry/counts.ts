/** What the parts of a role count, on whichever thread, for those who tell it to Prometheus. */
import type { Metrics, Numbers } from "./metrics.js";

/** Of the connections to Redis, and of the sweeps. */
export interface RedisCounts {
  /** Connections that the watchdog has cut. */
  watchdogCuts: number;
  /** Writes that no replica had in time. */
  unconfirmedWrites: number;
  /** Runs that sweeps have moved: requeued, given_up, overruled. */
  swept: Numbers;
}

export function tellRedis(metrics: Metrics, read: () => RedisCounts): void {
  metrics.count("redis_watchdog_cuts_total", "Connections to Redis that answered nothing and were made anew", () => {
    return read().watchdogCuts;
  });
  metrics.count("redis_unconfirmed_writes_total", "Writes that no replica had confirmed in time", () => {
    return read().unconfirmedWrites;
  });
  metrics.counts("swept_runs_total", "Runs that this process's sweeps moved, by what became of them", "what", () => {
    return read().swept;
  });
}
