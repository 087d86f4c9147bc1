/** Of metadata, wherever it is. */
import { type Intended, RUNS, STATES, STREAM } from "./entry.js";

const MARKS = ["langgraph_host", "langgraph_plan", "langgraph_version", "run_attempt", "ls_integration"];

export const metadata: Intended[] = [
  ...MARKS.map((mark) => ({
    path: `**.${mark}`,
    ours: "nothing",
    because: "what a server says of itself is no part of a run's metadata, which comes with each token",
    source: "docs/decisions/differential.md",
  })),
  {
    operations: [...RUNS, ...STATES, STREAM, "POST /runs/stream"],
    path: "**.created_by",
    ours: "nothing",
    because: "an assistant's metadata is the assistant's; a run's is what its client gave",
    source: "docs/decisions/differential.md",
  },
  {
    path: "**.user-agent",
    ours: "nothing",
    because: "no header gets into a configuration",
    source: "reference §5: since v0.4.0 nothing is copied unless configurable_headers opts in",
  },
  {
    operations: STATES,
    about: ["after forks"],
    path: "body.*.metadata.checkpoint_*",
    ours: "nothing",
    because: "where a run began is its kwargs'; the development server copies all of configurable into metadata",
    source: "app/data/checkpoints/metadata.ts",
  },
  {
    operations: ["POST /runs", "POST /runs/batch"],
    path: "body.**metadata.*_id",
    development: "nothing",
    because: "a run's metadata names its graph and its assistant, also where the run makes its thread",
    source: "reference §2.2: if_not_exists",
  },
];
