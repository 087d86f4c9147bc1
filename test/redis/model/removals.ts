/** Removals in steps of one, by a process that may die after any of them. */
import { expect } from "vitest";
import type { Model } from "./model.js";
import type { Real } from "./real.js";

/** @param removal `<thread>` or `<thread>:<run>` @param steps that are made before the process dies */
export async function driveRemoval(model: Model, real: Real, removal: string, steps: number): Promise<void> {
  const [thread = "", run] = removal.split(":");
  if (run === undefined) await deleteThread(model, real, thread, steps);
  else await undoRun(model, real, { thread, run, steps });
}

async function undoRun(
  model: Model,
  real: Real,
  { thread, run, steps }: { thread: string; run: string; steps: number },
): Promise<void> {
  let from = "-";
  for (let step = 0; step < steps && from !== ""; step++)
    from = (await real.call("undoRun", `history:${thread}`, thread, thread, run, from, 1)) as string;
  if (from !== "") return;
  expect(await real.call("removed", "removals", thread, run)).toBe(1);
  model.removals.delete(`${thread}:${run}`);
  const checkpoints = model.checkpoints.get(thread) ?? [];
  model.checkpoints.set(
    thread,
    checkpoints.filter((checkpoint) => checkpoint.run !== run),
  );
  model.promoteNext(thread);
}

async function deleteThread(model: Model, real: Real, thread: string, steps: number): Promise<void> {
  fence(model, thread);
  let [word, ...runs] = (await real.call("deleteThread", `thread:${thread}`, thread, 1, "")) as [string, ...string[]];
  forget(model, runs);
  for (let step = 0; step < steps && word === "more"; step++) {
    [word, ...runs] = (await real.call("deleteThread", `thread:${thread}`, thread, 1, "")) as [string, ...string[]];
    forget(model, runs);
  }
  if (word === "more") return;
  let more: unknown = 1;
  for (let step = 0; step < steps && more === 1; step++)
    more = await real.call("deleteHistory", `history:${thread}`, thread, 1);
  if (more === 1) return;
  await real.call("forgetThread", "removals", thread);
  model.removals.delete(thread);
  model.checkpoints.delete(thread);
  const left = [...model.runs.values()].filter((run) => run.thread === thread && run.where !== "gone");
  expect(left.map(({ id }) => id)).toEqual([]);
}

/** The first call: nothing of the thread can be claimed, accepted or written from here on. */
function fence(model: Model, thread: string): void {
  const held = model.threads.get(thread);
  if (!held) return;
  model.removals.delete(`${thread}:${held.active}`);
  model.threads.delete(thread);
  model.removals.add(thread);
}

function forget(model: Model, runs: string[]): void {
  for (const id of runs) {
    const run = model.runs.get(id);
    if (run) Object.assign(run, { where: "gone", owner: "", overruleAt: undefined, events: [] });
  }
}
