/** Of threads. */
import { type Intended, THREAD } from "./entry.js";

export const threads: Intended[] = [
  {
    path: "body.**state_updated_at",
    development: "nothing",
    because: "a Thread has this field since the platform sorts by it",
    source: "reference §1.3",
  },
  {
    path: "body.**values",
    development: "nothing",
    ours: "null",
    because: "values are null where there are none; the development server leaves the field out",
    source: "reference §1.3: values|null",
  },
  {
    path: "body.**interrupts",
    development: "nothing",
    ours: "{}",
    because: "a Thread always has its interrupts",
    source: "reference §1.3",
  },
  {
    operations: [THREAD],
    path: "body.interrupts.<id>",
    development: "[]",
    ours: "nothing",
    because: "a task without an interrupt is not among the interrupts",
    source: "reference §1.3: interrupts: {task_id: [{id, value}]}",
  },
  {
    path: "body.**config.*",
    development: undefined,
    ours: "nothing",
    because:
      "a thread keeps no configuration of its runs, and a run takes none from those before; its kwargs have its own",
    source: "docs/decisions/differential.md",
  },
  {
    operations: ["POST /threads/search"],
    about: ["by values"],
    path: "**",
    because: "a thread without values has not the values that are asked for; the development server finds it",
    source: "reference §1.3",
  },
  {
    operations: [THREAD],
    about: ["stopped after a"],
    path: "body.values.steps.*",
    development: "nothing",
    because: "a thread shows the newest state; the development server that of the checkpoint event before the stop",
    source: "reference §2.1: values are those of the last checkpoint",
  },
  {
    operations: [THREAD],
    about: ["after a cancel"],
    path: "body.status",
    development: '"idle"',
    ours: '"interrupted"',
    because: "a cancelled run keeps its last checkpoint, which has a next step",
    source: "reference §2.1; contract, Statuses",
  },
  {
    operations: [THREAD],
    about: ["after a cancel"],
    path: "body.values",
    development: "nothing",
    because: "a cancelled run keeps its last checkpoint; the development server drops it",
    source: "reference §2.1; contract, Statuses",
  },
];
