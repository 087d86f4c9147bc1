/** Parts of a thread's state, as the SDKs' `select` names them: fields, and single keys of its values. */
import { z } from "zod";
import type { ThreadState } from "../graphs/state.js";
import { optional, queryNames, ThreadStateShape } from "./shapes.js";

const FIELDS: readonly string[] = ThreadStateShape.keyof().options;
const ONE_VALUE = "values.";
const MOST_NAMES = 100;

const isName = (name: string) => FIELDS.includes(name) || (name.startsWith(ONE_VALUE) && name !== ONE_VALUE);
// For the document alone; a query separates its names by commas.
const patternOf = (key: string) => ({ pattern: `^(${FIELDS.join("|")}|values\\.${key}+)$` });
const Names = z
  .array(
    z
      .string()
      .refine(isName, `must be ${FIELDS.join(", ")} or values.<key>`)
      .meta(patternOf(".")),
  )
  .max(MOST_NAMES, `must have at most ${MOST_NAMES} names`);
const WHAT = "only these fields of the state; `values.<key>` is one key of its values";

export const StateSelect = optional(Names).describe(WHAT);

export const StateSelectQuery = queryNames
  .pipe(Names)
  .optional()
  .describe(WHAT)
  .meta({ type: "array", items: { type: "string", anyOf: [patternOf("[^,]"), { const: "" }] }, maxItems: MOST_NAMES });

/** As a state is answered: a field that was not selected is not there. */
export const SelectedStateShape = ThreadStateShape.partial().meta({ id: "SelectedThreadState" });

/** @param select all of it where nothing is named */
export function selectState(state: ThreadState, select: readonly string[] = []): Partial<ThreadState> {
  if (select.length === 0) return state;
  const fields = Object.entries(state).filter(([field]) => select.includes(field));
  const keys = select.filter((name) => name.startsWith(ONE_VALUE)).map((name) => name.slice(ONE_VALUE.length));
  if (keys.length > 0 && !select.includes("values")) fields.push(["values", pick(state.values, keys)]);
  return Object.fromEntries(fields);
}

function pick(values: unknown, keys: readonly string[]): Record<string, unknown> {
  if (typeof values !== "object" || values === null) return {};
  return Object.fromEntries(Object.entries(values).filter(([key]) => keys.includes(key)));
}
