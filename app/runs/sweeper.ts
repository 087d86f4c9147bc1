/** Every process sweeps every partition, at its own pace and without a leader; what a sweep heals is in `lua/sweep.lua`. */
import type { Redis } from "../redis/connect.js";
import { type Keys, PARTITIONS } from "../redis/partitions.js";
import type { Log } from "../telemetry/log.js";
import { scripts } from "./scripts.js";
import type { Removal, RemovalSteps } from "./types.js";

const RUNS_A_CALL = 100;

export interface SweepSettings {
  leaseMs: number;
  sweepMs: number;
  maxFailures: number;
}

export interface SweepDeps {
  redis: Redis;
  keys: Keys;
  removals: RemovalSteps;
  log: Log;
}

/** Sweeps about each `sweepMs` until stopped. Failures are logged; the next sweep tries again. */
export function startSweeper(deps: SweepDeps, settings: SweepSettings): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();
  let stopped = false;

  const schedule = () => {
    // Jitter keeps a fleet that started together from sweeping together.
    const delay = settings.sweepMs * (0.8 + 0.4 * Math.random());
    timer = setTimeout(() => {
      current = sweep(deps, settings).finally(() => {
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

/** One sweep of all partitions, and what it finds to remove. */
export async function sweep(deps: SweepDeps, settings: SweepSettings): Promise<void> {
  const { redis, keys, log } = deps;
  const { leaseMs, sweepMs, maxFailures } = settings;
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  try {
    const healed = (await Promise.all(
      partitions.map((partition) =>
        scripts.sweep.run(redis, keys.in(partition, "leases"), leaseMs, sweepMs, maxFailures, RUNS_A_CALL),
      ),
    )) as [string[], string[], string[], string[], string[]][];
    for (const [requeued, failed, overruled] of healed) {
      for (const runId of requeued)
        log.warn({ event: "run_requeued", runId }, "its worker was lost: the run is ready again");
      for (const runId of failed) log.error({ event: "run_given_up", runId }, "its worker was lost once too often");
      for (const runId of overruled)
        log.warn({ event: "run_overruled", runId }, "cancelled; its worker had not ended it");
    }
    const [removals, expiring] = [healed.flatMap((found) => found[3]), healed.flatMap((found) => found[4])];
    await removeAll(deps, removals.map(toRemoval), expiring);
  } catch (error) {
    log.warn({ event: "sweep_failed", reason: error instanceof Error ? error.message : String(error) }, "sweep failed");
  }
}

/** One after the other: they are nobody's request, and each may be thousands of checkpoints. */
async function removeAll({ removals, log }: SweepDeps, left: Removal[], expiring: string[]): Promise<void> {
  for (const removal of left) {
    log.warn({ event: "removal_resumed", ...removal }, "its process has left a removal unfinished");
    await removals.remove(removal);
  }
  for (const threadId of expiring) await removals.expire(threadId);
}

/** @param text a member of `removals`, as `lua/include/removal.lua` says */
function toRemoval(text: string): Removal {
  const [threadId = "", what] = text.split(":");
  return { threadId, what };
}
