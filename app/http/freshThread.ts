/** Threads as clients are to see them: a copy, and a run that was ended for its owner, have told no state: it is read once. */
import type { ThreadRecord, Threads } from "../data/threads.js";
import type { ThreadStates } from "./threadStates.js";

export interface FreshDeps {
  threads: Pick<Threads, "refresh">;
  states: Pick<ThreadStates, "newest">;
}

/** @returns the thread with the state of its newest checkpoint, where that is not yet told */
export async function freshThread({ threads, states }: FreshDeps, thread: ThreadRecord): Promise<ThreadRecord> {
  const state = thread.stale && (await states.newest(thread));
  if (!state) return thread;
  await threads.refresh(thread, state);
  const told = thread.status === "busy" || thread.status === "error";
  return { ...thread, ...state, status: told ? thread.status : state.status };
}
