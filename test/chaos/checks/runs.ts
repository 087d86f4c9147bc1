/** I1, I6, I8, I12: what became of each run that was asked for. */
import type { AskedRun, StoredEvent } from "../history.js";
import { type Case, refused, short, TERMINAL } from "./case.js";

/** The error of a run whose worker was lost too often; others are the graph's own. */
const WORKER_LOST = "WorkerLost";

export function checkRuns(on: Case): void {
  for (const run of on.history.asked) {
    if (run.answer === "refused") checkRefused(on, run);
    else checkEnded(on, run);
  }
  for (const cancel of on.history.cancels) {
    if (cancel.action !== "rollback" || cancel.status === undefined || cancel.status >= 300) continue;
    if (on.run(cancel.runId))
      on.lostOrViolated(
        on.windowOfRun(cancel.runId),
        "I1",
        `run ${short(cancel.runId)} was rolled back (${cancel.status}), and is still there`,
      );
  }
  for (const runId of Object.keys(on.audit.runs)) checkFailures(on, runId);
  checkQueues(on);
}

function checkEnded(on: Case, run: AskedRun): void {
  const stored = on.run(run.runId);
  const stream = on.audit.streams[run.runId];
  const name = `run ${short(run.runId)}`;
  const deletion = on.deletionOf(run.threadId);
  if (stored && !TERMINAL.has(stored.status)) on.violate("I1", `${name} is still ${stored.status}`);
  if (stream) {
    const ends = stream.filter(({ event }) => event === "end");
    if (ends.length !== 1) on.violate("I1", `${name} has ${ends.length} end events`);
    if (stored && ends[0] && ends[0].status !== stored.status)
      on.violate("I1", `${name} is ${stored.status}, its end event says ${ends[0].status}`);
  }
  if (run.answer !== "accepted" || stored) {
    if (stored && run.answer === "accepted") checkKept(on, run);
    return;
  }
  // Its record is gone: a reason is needed.
  if (run.lifetime === "delete" ? stream : deletion || on.mayBeRolledBack(run)) return;
  on.lostOrViolated(on.windowOfRun(run.runId), "I1", `${name} was accepted, and nothing is known of it`);
}

/** A later run that rolls the thread's open ones back leaves none of them. */
function checkKept(on: Case, run: AskedRun): void {
  const stored = on.run(run.runId);
  if (!stored) return;
  for (const [otherId, other] of Object.entries(on.audit.runs)) {
    if (other.threadId !== stored.threadId || other.strategy !== "rollback" || other.place <= stored.place) continue;
    if (stored.updatedAt > other.createdAt)
      on.lostOrViolated(
        on.windowOfRun(run.runId) ?? on.windowOfRun(otherId),
        "I1",
        `run ${short(run.runId)} was open when ${short(otherId)} rolled it back, and ended ${stored.status} later`,
      );
  }
}

function checkRefused(on: Case, run: AskedRun): void {
  const left = [
    on.run(run.runId) && "a record",
    on.audit.streams[run.runId] && "events",
    Object.keys(on.audit.keys).some((key) => key.endsWith(`:thread:${run.threadId}`)) &&
      !on.history.asked.some((other) => other.threadId === run.threadId && other.answer !== "refused") &&
      run.status === 404 &&
      "a thread",
  ].filter(Boolean);
  if (left.length > 0)
    on.violate("I12", `run ${short(run.runId)} was refused (${run.status}), and left ${left.join(", ")}`);
}

function checkFailures(on: Case, runId: string): void {
  const run = on.run(runId);
  if (!run) return;
  const name = `run ${short(runId)}`;
  const { maxFailures } = on.history;
  if (run.failures > maxFailures) on.violate("I6", `${name} had ${run.failures} failures, of ${maxFailures} allowed`);
  const lost = run.error?.includes(WORKER_LOST);
  if (lost && run.failures < maxFailures) on.violate("I6", `${name} was given up after ${run.failures} failures`);
  if (run.status === "error" && !lost && on.asked.get(runId)?.graph !== "throws")
    on.violate("I6", `${name} ended with an error that its graph does not throw: ${run.error}`);
  if (retriedError(on.audit.streams[runId] ?? [])) on.violate("I6", `${name} went on after its graph had thrown`);
}

/** After `error` only `end` may come. */
function retriedError(stream: StoredEvent[]): boolean {
  const at = stream.findIndex(({ event }) => event === "error");
  return at >= 0 && stream.slice(at + 1).some(({ event }) => event !== "end");
}

/** Once all is quiet every queue is empty; a terminal run is in none. While load runs, each look found each run once. */
function checkQueues(on: Case): void {
  for (const [queue, members] of Object.entries(on.audit.queues))
    for (const member of members) on.violate("I8", `${queue} still holds ${member}`);
  for (const [threadId, { active, open, status }] of Object.entries(on.audit.threads))
    if (active !== "" || open !== 0 || status === "busy")
      on.violate("I8", `thread ${short(threadId)} is ${status}, open ${open}, active ${active || "none"}`);
  const said = new Set<string>();
  for (const { misplaced } of on.history.samples)
    for (const text of misplaced) {
      if (said.has(text)) continue;
      said.add(text);
      on.violate("I8", text);
    }
}

/** I12: a cancel that was refused with 409 changed nothing, so its run had ended by then. */
export function checkRefusedCancels(on: Case): void {
  for (const { runId, status, answeredAt = 0 } of on.history.cancels) {
    const run = on.run(runId);
    if (refused(status) && status === 409 && run && run.updatedAt > answeredAt)
      on.violate("I12", `cancel of ${short(runId)} was refused as ended, and the run went on`);
  }
}
