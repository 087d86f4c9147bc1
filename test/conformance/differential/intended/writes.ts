/** Of states that are written, and of copies. */
import { type Intended, STATES, THREAD, WRITE } from "./entry.js";

export const writes: Intended[] = [
  {
    operations: [WRITE],
    path: "body.configurable",
    development: "nothing",
    because: "SDKs of JavaScript declare this name for the checkpoint",
    source: "SDK: threads.updateState",
  },
  {
    operations: [WRITE],
    path: "body.checkpoint.checkpoint_map",
    development: "nothing",
    ours: "null",
    because: "a checkpoint is named by the same fields as everywhere",
    source: "reference §1.3: checkpoint{thread_id, checkpoint_ns, checkpoint_id, checkpoint_map}",
  },
  {
    operations: [WRITE],
    about: ["of no checkpoint"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such checkpoint; the development server begins a new state",
    source: "reference §1.3",
  },
  {
    operations: [WRITE, "POST /threads"],
    about: ["as nobody", "supersteps of no node"],
    path: "status",
    development: "500",
    ours: "422",
    because: "there is no such node",
    source: "reference §1: 422 = validation",
  },
  {
    operations: STATES,
    path: "body.**metadata.graph_id",
    development: '"steps"',
    ours: "nothing",
    because: "a state that no run wrote has no run's metadata; the development server copies configurable into it",
    source: "docs/decisions/differential.md",
  },
  {
    operations: [THREAD],
    about: ["with supersteps", "written as a"],
    path: "body.status",
    development: '"idle"',
    ours: '"interrupted"',
    because: "a state that was written has a next step, for which the thread waits",
    source: "reference §2.1",
  },
  {
    operations: ["POST /threads/{thread_id}/copy", THREAD],
    path: "body.metadata.thread_id",
    ours: "nothing",
    because: "a thread has its id once",
    source: "reference §1.3: Thread",
  },
  {
    operations: ["POST /threads/{thread_id}/copy", THREAD],
    path: "body.values",
    development: "nothing",
    because: "a thread shows the values of its newest checkpoint, a copy as well",
    source: "reference §2.1",
  },
];
