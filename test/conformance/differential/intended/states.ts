/** Of states that are read. */
import { type Intended, STATES } from "./entry.js";

export const states: Intended[] = [
  {
    operations: STATES,
    path: "body.**interrupts",
    development: "nothing",
    because: "a ThreadState has the open interrupts of all its tasks",
    source: "reference §1.3",
  },
  {
    operations: STATES,
    path: "body.metadata",
    development: "nothing",
    ours: "{}",
    because: "the state of a thread on which nothing ran has metadata, too",
    source: "reference §1.3",
  },
  {
    operations: ["GET /threads/{thread_id}/state/{checkpoint_id}", "POST /threads/{thread_id}/state/checkpoint"],
    about: ["unknown"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such checkpoint; the development server shows an empty state",
    source: "reference §1.3: 404",
  },
  {
    operations: ["POST /threads/{thread_id}/state/checkpoint"],
    about: ["with subgraphs"],
    path: "status",
    development: "400",
    ours: "200",
    because: "the SDKs send a boolean; the development server takes texts alone",
    source: "reference §1.3",
  },
  {
    operations: STATES,
    path: "body.**tasks.*.error",
    development: String.raw`"{\"message\":\"the points are stuck\",\"name\":\"RangeError\"}"`,
    ours: '"RangeError: the points are stuck"',
    because: "an error is a text for people; the development server writes an object into a text",
    source: "reference §1.3",
  },
];
