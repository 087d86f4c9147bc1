/**
 * Replays what clients saw and did against what Redis holds, and names each invariant of docs/reliability.md that does
 * not hold. A pure function, so that it can be shown wrong histories. (I11 waits for crons.)
 */
import { attemptOf } from "../../app/runs/events.js";
import { Case, type Loss, type Violation } from "./checks/case.js";
import { checkFollowers } from "./checks/followers.js";
import { checkCancels, checkKeys, checkReady } from "./checks/limits.js";
import { checkOrder } from "./checks/order.js";
import { checkRefusedCancels, checkRuns } from "./checks/runs.js";
import { checkSteps } from "./checks/steps.js";
import type { Audit, History } from "./history.js";

export interface Verdict {
  violations: Violation[];
  /** What failovers lost, and had not been confirmed. */
  losses: Loss[];
  eventsChecked: number;
  /** Ms from asking for a cancel to the end of its run: without and with faults in that time. */
  cancelMs: { calm: number[]; disturbed: number[] };
  /** Ms from the loss of a worker to the next attempt's first event, as clients saw them. */
  takeoverMs: number[];
}

export function check(history: History, audit: Audit): Verdict {
  const on = new Case(history, audit);
  checkRuns(on);
  checkRefusedCancels(on);
  checkOrder(on);
  checkSteps(on);
  const eventsChecked = checkFollowers(on);
  const cancelMs = checkCancels(on);
  checkKeys(on);
  checkReady(on);
  return { violations: on.violations, losses: on.losses, eventsChecked, cancelMs, takeoverMs: takeovers(history) };
}

/** A worker that was lost between the last event of an attempt and the first of the next one is taken for its worker. */
function takeovers(history: History): number[] {
  const lost = history.faults.filter(({ kind }) => kind === "kill-worker" || kind === "stop-worker");
  return history.followers.flatMap(({ seen }) =>
    seen.flatMap((event, at) => {
      const before = seen[at - 1];
      if (
        event.id === undefined ||
        before?.id === undefined ||
        attemptOf(event.id) <= Math.max(1, attemptOf(before.id))
      )
        return [];
      const fault = lost.find(({ from }) => from >= before.at && from <= event.at);
      return fault ? [event.at - fault.from] : [];
    }),
  );
}
