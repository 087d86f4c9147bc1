/** The parts of `npm run conformance`. Each is a module beside this one that exports `run`. */
import type { Outcome } from "./cases.js";
import type { Deployment, Size } from "./deployment.js";
import type { Caller } from "./operations.js";
import type { Call } from "./recorder.js";

/** In the order in which they run: `table` says what those before it have called. */
export const PARTS = [
  "http",
  "sdk-js",
  "sdk-python",
  "remote-graph",
  "old-sdks",
  "table",
  "differential",
  "schemathesis",
] as const;

export type PartName = (typeof PARTS)[number];

export interface Context {
  /** The folder of the app's build. */
  build: string;
  /** For what is installed once: outside git. */
  cache: string;
  /** Told before anything that takes long. */
  say(line: string): void;
  /** Started with the first part that asks for it, stopped at the end. */
  deployment(size: Size): Promise<Deployment>;
  /** What was called, by whom. */
  calls: Map<Caller, Call[]>;
  /** Whether the `table` part may write the table that it would otherwise compare. */
  write: boolean;
}

export interface Part {
  run(context: Context): Promise<Outcome>;
}
