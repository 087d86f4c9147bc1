/** What the checks share: the records by id, and where they put what they find. */
import type { AskedRun, Audit, Fault, History, StoredRun, Time } from "../history.js";

export const TERMINAL = new Set(["success", "error", "timeout", "interrupted"]);

/** Faults after which what only the lost node had is gone. */
const LOSING = new Set(["failover", "lose-master"]);
/** What no WAIT speaks of, such as an event, reaches a replica within this time unless it is stalled. */
const REPLICATION_MS = 1_000;

export interface Violation {
  /** Such as `I3`. */
  invariant: string;
  text: string;
}

export interface Loss {
  /** Which of the failovers, from 1. */
  window: number;
  text: string;
}

export class Case {
  readonly violations: Violation[] = [];
  readonly losses: Loss[] = [];
  readonly asked = new Map<string, AskedRun>();
  readonly failovers: Fault[];

  constructor(
    readonly history: History,
    readonly audit: Audit,
  ) {
    for (const run of history.asked) this.asked.set(run.runId, run);
    this.failovers = history.faults.filter(({ kind }) => LOSING.has(kind)).sort((a, b) => a.from - b.from);
  }

  violate(invariant: string, text: string): void {
    this.violations.push({ invariant, text });
  }

  run(runId: string): StoredRun | undefined {
    return this.audit.runs[runId];
  }

  /** The failover that may have lost a write of this run which was logged as not confirmed. */
  windowOfRun(runId: string): number | undefined {
    for (const { at, runs } of this.history.unconfirmed) {
      if (!runs.includes(runId)) continue;
      const window = this.failovers.findIndex(({ until }) => at <= until + REPLICATION_MS);
      if (window >= 0) return window + 1;
    }
    return undefined;
  }

  /** The failover that may have lost something which nobody waits for, and which was there at this time. */
  windowOfTime(at: Time): number | undefined {
    const window = this.failovers.findIndex(({ from, until }) => at >= from - REPLICATION_MS && at <= until);
    return window < 0 ? undefined : window + 1;
  }

  /** A loss where a failover explains it, else a violation. */
  lostOrViolated(window: number | undefined, invariant: string, text: string): void {
    if (window === undefined) this.violate(invariant, text);
    else this.losses.push({ window, text });
  }

  /** The thread of this run was to be deleted, and that was accepted or may have been. */
  deletionOf(threadId: string) {
    return this.history.deletions.find((deletion) => deletion.threadId === threadId && deletion.status !== 404);
  }

  /** Something asked for the removal of this run, and it was accepted or may have been. */
  mayBeRolledBack(run: AskedRun): boolean {
    const cancelled = this.history.cancels.some(
      ({ runId, action, status }) => runId === run.runId && action === "rollback" && !refused(status),
    );
    return (
      cancelled ||
      this.history.asked.some(
        (other) =>
          other.threadId === run.threadId &&
          other.runId !== run.runId &&
          other.strategy === "rollback" &&
          other.answer !== "refused",
      )
    );
  }
}

export const refused = (status: number | undefined) => status !== undefined && status >= 400 && status < 500;

export const short = (id: string) => id.slice(-12);
