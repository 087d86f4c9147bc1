/** How an ended execution is written down: the run's status, its thread's, and what wait and join answer. */
import type { StateSnapshot } from "../graphs/load.js";
import { describeError, toJson } from "../graphs/serialize.js";
import { interruptsOf, threadStatusOf } from "../graphs/state.js";
import type { NewEvent, Outcome } from "../runs/attempts.js";

/**
 * A graph that came to its end, or was cancelled on its way.
 * @param answer JSON of the latest values that were streamed, with the interrupts that stopped the run
 * @param snapshot the thread's state now; a run without checkpoints has none
 * @throws SerializationError when the state is nothing that JSON can hold
 */
export function ended(status: "success" | "interrupted", answer: string, snapshot: StateSnapshot | undefined): Outcome {
  if (!snapshot) return { status, threadStatus: "idle", answer };
  const state = stateOf(snapshot);
  // A run that another attempt had brought to its end streamed nothing here: its answer is the thread's state.
  return { status, threadStatus: threadStatusOf(snapshot), answer: answer === "{}" ? state.values : answer, state };
}

/** A graph that threw, or ran out of time; its thread keeps the state that it had reached. */
export function failed(error: unknown, snapshot: StateSnapshot | undefined): Outcome {
  const json = toJson(describeError(error));
  const state = snapshot && stateOf(snapshot);
  return { status: "error", threadStatus: "error", answer: `{"__error__":${json}}`, state, error: json };
}

/** The `error` event, which only a terminal error is. */
export function errorEvent(outcome: Outcome): NewEvent[] {
  return outcome.error === undefined ? [] : [{ event: "error", data: outcome.error }];
}

function stateOf(snapshot: StateSnapshot): { values: string; interrupts: string } {
  return { values: toJson(snapshot.values), interrupts: toJson(interruptsOf(snapshot)) };
}
