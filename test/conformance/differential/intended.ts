/** What the two sides say differently on purpose, as data. */
import { assistants } from "./intended/assistants.js";
import type { Intended } from "./intended/entry.js";
import { metadata } from "./intended/metadata.js";
import { refusals } from "./intended/refusals.js";
import { runs } from "./intended/runs.js";
import { states } from "./intended/states.js";
import { store } from "./intended/store.js";
import { streams } from "./intended/streams.js";
import { threads } from "./intended/threads.js";
import { writes } from "./intended/writes.js";

export const INTENDED: Intended[] = [
  ...refusals,
  ...assistants,
  ...threads,
  ...states,
  ...writes,
  ...metadata,
  ...runs,
  ...streams,
  ...store,
];
