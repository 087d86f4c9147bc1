/** A difference that is on purpose; and the operations that entries are about. */

export interface Intended {
  /** Of these operations; all of them without it. */
  operations?: string[];
  /** Where only some requests of an operation differ so: what they are about. */
  about?: string[];
  /** The field; `*` is anything within a name, `**` anything. */
  path: string;
  /** What each says; without it, anything. */
  development?: string;
  ours?: string;
  because: string;
  /** Where it is decided: a section of the reference of the API, the contract, a page of docs. */
  source: string;
}

export const THREAD = "GET /threads/{thread_id}";
export const STATE = "GET /threads/{thread_id}/state";
export const STATES = [
  STATE,
  "GET /threads/{thread_id}/state/{checkpoint_id}",
  "POST /threads/{thread_id}/state/checkpoint",
  "GET /threads/{thread_id}/history",
  "POST /threads/{thread_id}/history",
];
export const WRITE = "POST /threads/{thread_id}/state";
export const RUN = "GET /threads/{thread_id}/runs/{run_id}";
export const RUNS = [
  RUN,
  "GET /threads/{thread_id}/runs",
  "POST /threads/{thread_id}/runs",
  "POST /runs",
  "POST /runs/batch",
];
export const CANCEL = "POST /threads/{thread_id}/runs/{run_id}/cancel";
export const WAITS = ["POST /threads/{thread_id}/runs/wait", "POST /runs/wait"];
export const STREAM = "POST /threads/{thread_id}/runs/stream";
export const JOIN_STREAM = "GET /threads/{thread_id}/runs/{run_id}/stream";
