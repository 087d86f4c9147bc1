/** Every process sweeps every partition, at its own pace and without a leader; what a sweep heals is in `lua/sweep.lua`. */
import type { Redis } from "../redis/connect.js";
import { ALL_PARTITIONS, type Keys } from "../redis/partitions.js";
import type { Confirm } from "../redis/replication.js";
import type { Log } from "../telemetry/log.js";
import { startRounds } from "./rounds.js";
import { scripts } from "./scripts.js";
import type { Removal, RemovalSteps } from "./types.js";

const RUNS_A_CALL = 100;

export interface SweepSettings {
  leaseMs: number;
  sweepMs: number;
  maxFailures: number;
}

export interface HealDeps {
  redis: Redis;
  keys: Keys;
  /** Asks replicas for the ends that a sweep writes; not given: nobody asks. */
  confirm?: Confirm | undefined;
  /** Hears of the runs that were moved. */
  count?: (what: Swept, runs: number) => void;
  log: Log;
}

export type Swept = "requeued" | "given_up" | "overruled";

export interface SweepDeps extends HealDeps {
  removals: RemovalSteps;
}

/** What a sweep found that takes more than a script. */
interface Found {
  removals: Removal[];
  expiring: string[];
}

/** Sweeps about each `sweepMs` until stopped. Failures are logged; the next sweep tries again. */
export function startSweeper(deps: SweepDeps, settings: SweepSettings): { stop(): Promise<void> } {
  const stopped = new AbortController();
  // A removal may take long; leases must not wait for it.
  let removing = false;
  const remove = async (found: Found) => {
    if (removing) return;
    removing = true;
    await removeAll(deps, found, stopped.signal);
    removing = false;
  };

  const rounds = startRounds(async () => {
    const found = await heal(deps, settings);
    void remove(found);
  }, settings.sweepMs);
  return {
    /** A removal under way is left to the sweeps of others. */
    async stop() {
      stopped.abort();
      await rounds.stop();
    },
  };
}

/** One sweep of all partitions, and what it finds to remove. */
export async function sweep(deps: SweepDeps, settings: SweepSettings): Promise<void> {
  await removeAll(deps, await heal(deps, settings));
}

/** What a sweep does in one script a partition. @returns what it found to remove */
export async function heal(deps: HealDeps, settings: SweepSettings): Promise<Found> {
  // In a cluster one node may be away: what the others answer counts.
  const healed = await Promise.allSettled(ALL_PARTITIONS.map((partition) => healPartition(deps, settings, partition)));
  const failure = healed.find((each) => each.status === "rejected");
  if (failure) warn(deps.log, failure.reason);
  const found = healed.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  return {
    removals: found.flatMap(({ removals }) => removals),
    expiring: found.flatMap(({ expiring }) => expiring),
  };
}

async function healPartition(deps: HealDeps, settings: SweepSettings, partition: number): Promise<Found> {
  const { redis, keys, log, confirm } = deps;
  const { leaseMs, sweepMs, maxFailures } = settings;
  const key = keys.in(partition, "leases");
  const answer = await scripts.sweep.run(redis, key, leaseMs, sweepMs, maxFailures, RUNS_A_CALL);
  const [requeued, failed, overruled, removals, expiring] = answer as [
    string[],
    string[],
    string[],
    string[],
    string[],
  ];
  for (const runId of requeued)
    log.warn({ event: "run_requeued", runId }, "its worker was lost: the run is ready again");
  for (const runId of failed) log.error({ event: "run_given_up", runId }, "its worker was lost once too often");
  for (const runId of overruled) log.warn({ event: "run_overruled", runId }, "cancelled; its worker had not ended it");
  deps.count?.("requeued", requeued.length);
  deps.count?.("given_up", failed.length);
  deps.count?.("overruled", overruled.length);
  await Promise.all([...failed, ...overruled].map((runId) => confirm?.(key, { runId, what: "end" })));
  return { removals: removals.map(toRemoval), expiring };
}

/** One after the other: nobody waits for them, and each may be thousands of checkpoints. */
async function removeAll({ removals, log }: SweepDeps, found: Found, stopped?: AbortSignal): Promise<void> {
  try {
    for (const removal of found.removals) {
      if (stopped?.aborted) return;
      log.warn({ event: "removal_resumed", ...removal }, "its process has left a removal unfinished");
      await removals.remove(removal);
    }
    for (const threadId of found.expiring) {
      if (stopped?.aborted) return;
      await removals.expire(threadId);
    }
  } catch (error) {
    if (!stopped?.aborted) warn(log, error);
  }
}

function warn(log: Log, error: unknown): void {
  log.warn({ event: "sweep_failed", reason: error instanceof Error ? error.message : String(error) }, "sweep failed");
}

/** @param text what `lua/sweep.lua` names to remove */
function toRemoval(text: string): Removal {
  const [threadId = "", what] = text.split(":");
  return { threadId, what };
}
