/** What the main thread and the heartbeat's thread tell each other. */
import type { RedisLogin } from "../redis/connect.js";
import type { Attention } from "../runs/attempts.js";
import type { ClaimedRun } from "../runs/types.js";
import type { RedisCounts } from "../telemetry/counts.js";
import type { Numbers } from "../telemetry/metrics.js";
import type { TaskRevision } from "./revisions.js";

/** What the heartbeat needs of a run. */
export type HeldRun = Pick<ClaimedRun, "runId" | "threadId" | "owner">;

/** Shown by `/ok` beside `ok`: slots taken, and how often ECS refused a protection. */
export type Report = { running?: number; protectionRefused?: number };

/** What the main thread has counted, for `/metrics`. */
export interface WorkerCounts extends RedisCounts {
  slots: number;
  slotsUsed: number;
  /** Runs that have left this worker, by how. */
  left: Numbers;
}

export type ToThread =
  | { kind: "hold"; run: HeldRun }
  /** The run has left this worker. */
  | { kind: "drop"; owner: string }
  | { kind: "report"; report: Report }
  | { kind: "count"; counts: WorkerCounts }
  /** `/ok` answers 503 from now on. */
  | { kind: "unfit"; reason: string }
  /** Gives all runs up, a failure each. */
  | { kind: "forfeit" }
  /** Others no longer count with this worker: it drains. */
  | { kind: "leave" }
  | { kind: "stop" };

export type FromThread =
  | { kind: "listening"; port: number }
  /** It could not start. `code` and `port` are those of the socket; without them Redis did not answer. */
  | { kind: "failed"; message: string; code?: string | undefined; port?: number | undefined }
  | { kind: "attention"; attention: Attention }
  /** Redis has been away for longer than runs may be held. */
  | { kind: "outage" }
  /** The later revision of this worker's task definition that a healthy worker has; undefined: there is none (any more). */
  | { kind: "superseded"; by: number | undefined }
  | { kind: "forfeited" };

export interface ThreadData {
  /** The main thread adds to it as long as its loop turns. */
  turns: Int32Array;
  login: RedisLogin;
  keyPrefix: string;
  healthPort: number;
  leaseMs: number;
  heartbeatMs: number;
  sweepMs: number;
  maxFailures: number;
  blockedLoopSeconds: number;
  outageSeconds: number;
  task: TaskRevision | undefined;
  log: { level: string; stack: string; instance: string };
}
