/** What a worker tells on its health port: of its slots and runs, and of both threads' connections. */
import { tellRedis } from "../telemetry/counts.js";
import { Metrics } from "../telemetry/metrics.js";
import type { WorkerCounts } from "./heartbeatWords.js";

export interface WorkerMetricsDeps {
  /** The main thread's latest. */
  counts: () => WorkerCounts;
  /** The heartbeat thread's own. */
  own: () => Pick<WorkerCounts, "watchdogCuts" | "unconfirmedWrites">;
  protectionRefused: () => number;
  redisUp: () => boolean;
}

export function workerMetrics({ counts, own, protectionRefused, redisUp }: WorkerMetricsDeps): Metrics {
  const metrics = new Metrics();
  metrics.gauge("worker_slots", "Runs that this worker executes side by side", () => counts().slots);
  metrics.gauge("worker_slots_used", "Slots that are taken", () => counts().slotsUsed);
  metrics.counts(
    "worker_runs_total",
    "Runs that have left this worker: with their status, released to another, lost to another, or left to their lease",
    "outcome",
    () => counts().left,
  );
  metrics.count("task_protection_refused_total", "Times that ECS refused a task protection", protectionRefused);
  metrics.gauge("redis_up", "Whether Redis answers the heartbeat", () => (redisUp() ? 1 : 0));
  tellRedis(metrics, () => {
    const [main, thread] = [counts(), own()];
    return {
      watchdogCuts: main.watchdogCuts + thread.watchdogCuts,
      unconfirmedWrites: main.unconfirmedWrites + thread.unconfirmedWrites,
      swept: main.swept,
    };
  });
  return metrics;
}
