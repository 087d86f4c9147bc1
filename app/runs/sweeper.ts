/** Every process sweeps every partition, at its own pace and without a leader; what a sweep heals is in `lua/sweep.lua`. */
import type { Redis } from "../redis/connect.js";
import { type Keys, PARTITIONS } from "../redis/partitions.js";
import type { Log } from "../telemetry/log.js";
import { scripts } from "./scripts.js";

const RUNS_A_CALL = 100;

export interface SweepSettings {
  leaseMs: number;
  sweepMs: number;
  maxFailures: number;
}

/** Sweeps about each `sweepMs` until stopped. Failures are logged; the next sweep tries again. */
export function startSweeper(redis: Redis, keys: Keys, settings: SweepSettings, log: Log): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();
  let stopped = false;

  const schedule = () => {
    // Jitter keeps a fleet that started together from sweeping together.
    const delay = settings.sweepMs * (0.8 + 0.4 * Math.random());
    timer = setTimeout(() => {
      current = sweep(redis, keys, settings, log).finally(() => {
        if (!stopped) schedule();
      });
    }, delay);
  };
  schedule();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}

/** One sweep of all partitions. */
export async function sweep(redis: Redis, keys: Keys, settings: SweepSettings, log: Log): Promise<void> {
  const { leaseMs, sweepMs, maxFailures } = settings;
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  try {
    const healed = (await Promise.all(
      partitions.map((partition) =>
        scripts.sweep.run(redis, keys.in(partition, "leases"), leaseMs, sweepMs, maxFailures, RUNS_A_CALL),
      ),
    )) as [string[], string[], string[]][];
    for (const [requeued, failed, overruled] of healed) {
      for (const runId of requeued)
        log.warn({ event: "run_requeued", runId }, "its worker was lost: the run is ready again");
      for (const runId of failed) log.error({ event: "run_given_up", runId }, "its worker was lost once too often");
      for (const runId of overruled)
        log.warn({ event: "run_overruled", runId }, "cancelled; its worker had not ended it");
    }
  } catch (error) {
    log.warn({ event: "sweep_failed", reason: error instanceof Error ? error.message : String(error) }, "sweep failed");
  }
}
