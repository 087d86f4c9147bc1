/** I3, as a user sees it: every step of a run that succeeded is in the thread's state once and in order. */
import type { AskedRun } from "../history.js";
import { type Case, short } from "./case.js";

export function checkSteps(on: Case): void {
  for (const [threadId, steps] of Object.entries(on.audit.steps)) checkThread(on, threadId, steps);
  for (const run of on.history.asked) if (run.told) checkTold(on, run, run.told);
}

function checkThread(on: Case, threadId: string, steps: string[]): void {
  const done = new Map<string, number[]>();
  let previous: string | undefined;
  for (const step of steps) {
    const [runId = "", number] = step.split(":");
    if (previous !== undefined && previous !== runId && done.has(runId))
      on.violate("I2", `thread ${short(threadId)}: steps of ${short(runId)} are among those of ${short(previous)}`);
    done.set(runId, [...(done.get(runId) ?? []), Number(number)]);
    previous = runId;
  }
  for (const [runId, numbers] of done) {
    if (!inOrder(numbers)) on.violate("I3", `run ${short(runId)}: its thread has its steps ${numbers.join(", ")}`);
    if (!on.run(runId) && on.asked.get(runId)?.lifetime !== "delete")
      on.violate("I12", `run ${short(runId)} is gone, and its thread still has its steps`);
  }
  for (const run of on.history.asked) {
    if (run.threadId !== threadId || on.run(run.runId)?.status !== "success") continue;
    const count = done.get(run.runId)?.length ?? 0;
    if (count !== run.steps)
      on.lostOrViolated(
        on.windowOfRun(run.runId),
        "I3",
        `run ${short(run.runId)} succeeded, and its thread has ${count} of its ${run.steps} steps`,
      );
  }
}

function checkTold(on: Case, run: AskedRun, told: string[]): void {
  const numbers = told.map((step) => Number(step.split(":")[1]));
  if (!inOrder(numbers) || (told.length !== run.steps && endedWell(on, run)))
    on.violate("I3", `run ${short(run.runId)}: wait told its steps ${numbers.join(", ") || "none"} of ${run.steps}`);
}

const inOrder = (numbers: number[]) => numbers.every((number, at) => number === at + 1);

function endedWell(on: Case, { runId }: AskedRun): boolean {
  return on.audit.streams[runId]?.find(({ event }) => event === "end")?.status === "success";
}
