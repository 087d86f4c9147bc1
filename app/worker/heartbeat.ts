/** Renews the leases of a worker's runs: one timer for all, one call a partition. Its answers repeat cancels. */
import { partitionOf } from "../redis/partitions.js";
import type { Attempts, Attention } from "../runs/attempts.js";
import type { ClaimedRun } from "../runs/types.js";
import type { Log } from "../telemetry/log.js";

export interface HeartbeatDeps {
  attempts: Attempts;
  heartbeatMs: number;
  leaseMs: number;
  /** The runs held at this moment. */
  held: () => ClaimedRun[];
  onAttention: (attention: Attention) => void;
  log: Log;
}

/** @returns a function that stops it */
export function startHeartbeat(deps: HeartbeatDeps): () => void {
  let underWay = false;
  const timer = setInterval(async () => {
    // A beat that Redis doesn't answer must not pile up others behind it.
    if (underWay) return;
    underWay = true;
    try {
      await beat(deps);
    } catch (error) {
      deps.log.warn({ event: "heartbeat_failed", reason: String(error) }, "heartbeat failed");
    } finally {
      underWay = false;
    }
  }, deps.heartbeatMs);
  return () => clearInterval(timer);
}

async function beat({ attempts, leaseMs, held, onAttention }: HeartbeatDeps): Promise<void> {
  const byPartition = new Map<number, ClaimedRun[]>();
  for (const run of held()) {
    const partition = partitionOf(run.threadId);
    byPartition.set(partition, [...(byPartition.get(partition) ?? []), run]);
  }
  const answers = await Promise.all(
    [...byPartition].map(([partition, runs]) => attempts.heartbeat(partition, runs, leaseMs)),
  );
  for (const attention of answers.flat()) onAttention(attention);
}
