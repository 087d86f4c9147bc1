/** Where a checkpoint is, as LangGraph's `config.configurable` names it. */
import { identityIn } from "./author.js";
import type { Place } from "./stored.js";

export type Configurable = Record<string, unknown>;

/** @throws TypeError that names the key */
export function placeOf(configurable: Configurable): Place {
  const { thread_id: threadId, checkpoint_ns: ns = "" } = configurable;
  if (typeof ns !== "string") throw new TypeError("configurable.checkpoint_ns must be a string");
  return { threadId: plainId("thread_id", threadId), ns };
}

/** The id of the checkpoint that a configuration points at; of its parent, where one is stored. */
export function checkpointIdOf({ checkpoint_id: id }: Configurable): string | undefined {
  return id === undefined || id === "" ? undefined : plainId("checkpoint_id", id);
}

/** The configuration that points at a checkpoint, for the writer or reader who had `configurable`. */
export function configOf(
  { threadId, ns }: Place,
  checkpointId: string,
  configurable: Configurable,
): { configurable: Configurable } {
  return {
    configurable: {
      ...identityIn(configurable),
      ...{ thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpointId },
    },
  };
}

/** Ids are parts of keys, so a colon in one could make it another key. */
function plainId(name: string, id: unknown): string {
  if (typeof id !== "string" || id === "" || id.includes(":"))
    throw new TypeError(`configurable.${name} must be a string that is not empty and holds no colon`);
  return id;
}
