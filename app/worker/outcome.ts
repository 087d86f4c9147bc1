/** How an ended execution is written down: the run's status, its thread's, and what wait and join answer. */
import type { StateSnapshot } from "../graphs/load.js";
import { describeError, toJson } from "../graphs/serialize.js";
import { interruptsOf, threadStatusOf } from "../graphs/state.js";
import type { NewEvent, Outcome } from "../runs/attempts.js";

/**
 * A graph that came to its end, or was cancelled on its way.
 * @param streamed JSON of the latest values that were streamed, with the interrupts that stopped the run; undefined: none
 * @param snapshot the thread's state now; a run without checkpoints has none
 * @throws SerializationError when the state is nothing that JSON can hold
 */
export function ended(
  status: "success" | "interrupted",
  streamed: string | undefined,
  snapshot: StateSnapshot | undefined,
): Outcome {
  if (!snapshot) return { status, threadStatus: "idle", answer: streamed ?? "{}" };
  const state = stateOf(snapshot);
  // A run that another attempt had brought to its end streamed nothing here: its answer is the thread's state.
  const answered = streamed ?? withInterrupts(state.values, openInterrupts(snapshot));
  return { status, threadStatus: threadStatusOf(snapshot), answer: answered, state };
}

/** A graph that threw, or ran out of time; its thread keeps the state that it had reached. */
export function failed(error: unknown, snapshot: StateSnapshot | undefined): Outcome {
  const json = toJson(withoutThread(error) ?? describeError(error));
  const state = snapshot && stateOf(snapshot);
  // An answer that was refused before anything was done (`strict_resume`) leaves its thread as it was.
  const isRefused = error instanceof Error && error.name === "UnknownInterruptError";
  const threadStatus = isRefused && snapshot ? threadStatusOf(snapshot) : "error";
  return { status: "error", threadStatus, answer: `{"__error__":${json}}`, state, error: json };
}

/** What LangGraph says of an interrupt without a checkpointer is advice to who compiles the graph, not to who calls it. */
function withoutThread(error: unknown): { error: string; message: string } | undefined {
  const code = error instanceof Error && "lc_error_code" in error ? error.lc_error_code : undefined;
  if (code !== "MISSING_CHECKPOINTER") return undefined;
  const message =
    "the graph interrupts, or keeps state of its own, so its run needs a thread: create one and run it there, " +
    'or send "on_completion": "keep"';
  return { error: "ThreadNeeded", message };
}

/** The `error` event, which only a terminal error is. */
export function errorEvent(outcome: Outcome): NewEvent[] {
  return outcome.error === undefined ? [] : [{ event: "error", data: outcome.error }];
}

/** An answer shows what its run waits for as `__interrupt__`. @param values JSON @param interrupts JSON of a list, if any */
export function withInterrupts(values: string, interrupts: string | undefined): string {
  if (interrupts === undefined || !values.endsWith("}")) return values;
  return `${values.slice(0, -1)}${values === "{}" ? "" : ","}"__interrupt__":${interrupts}}`;
}

function openInterrupts(snapshot: StateSnapshot): string | undefined {
  const open = snapshot.tasks.flatMap((task) => task.interrupts ?? []);
  return open.length > 0 ? toJson(open) : undefined;
}

function stateOf(snapshot: StateSnapshot): { values: string; interrupts: string } {
  return { values: toJson(snapshot.values), interrupts: toJson(interruptsOf(snapshot)) };
}
