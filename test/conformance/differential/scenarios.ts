/** All that is asked. */
import { assistants } from "./scenarios/assistants.js";
import { runs } from "./scenarios/runs.js";
import type { Scenario } from "./scenarios/scenario.js";
import { statelessRuns } from "./scenarios/statelessRuns.js";
import { states } from "./scenarios/states.js";
import { store } from "./scenarios/store.js";
import { streams } from "./scenarios/streams.js";
import { last, system } from "./scenarios/system.js";
import { threads } from "./scenarios/threads.js";

export { last, type Scenario };

export const scenarios: Scenario[] = [
  // First those that take longest.
  ...streams,
  ...runs,
  ...statelessRuns,
  ...states,
  ...threads,
  ...assistants,
  ...store,
  ...system,
];
