/**
 * Filters of a search, as LangGraph's InMemoryStore knows them: each key of a filter is one of the value's own, with a
 * value to equal or with operators. Two things are the platform's, which asks its database: lists and objects are equal
 * by what they hold, and texts that are no numbers have an order, so that times can be compared.
 */
import { isDeepStrictEqual } from "node:util";
import { StoreRefused } from "./names.js";

type Value = Record<string, unknown>;
type Operator = (held: unknown, wanted: unknown) => boolean;

const OPERATORS = new Map<string, Operator>([
  ["$eq", isSame],
  ["$ne", (held, wanted) => !isSame(held, wanted)],
  ["$gt", (held, wanted) => order(held, wanted) > 0],
  ["$gte", (held, wanted) => order(held, wanted) >= 0],
  ["$lt", (held, wanted) => order(held, wanted) < 0],
  ["$lte", (held, wanted) => order(held, wanted) <= 0],
  ["$in", (held, wanted) => Array.isArray(wanted) && wanted.some((each) => isSame(held, each))],
  ["$nin", (held, wanted) => !Array.isArray(wanted) || !wanted.some((each) => isSame(held, each))],
]);

/**
 * Whether a value passes.
 * @throws StoreRefused for an operator that there is not
 */
export function createFilter(filter: Record<string, unknown>): (value: Value) => boolean {
  const conditions = Object.entries(filter).map(([key, wanted]) => ({ key, holds: toCondition(key, wanted) }));
  return (value) => conditions.every(({ key, holds }) => holds(Object.hasOwn(value, key) ? value[key] : undefined));
}

function toCondition(key: string, wanted: unknown): (held: unknown) => boolean {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) return (held) => isSame(held, wanted);
  const entries = Object.entries(wanted);
  // An object without operators is a value to equal; the empty one asks for nothing.
  if (entries.length > 0 && !entries.some(([name]) => name.startsWith("$"))) return (held) => isSame(held, wanted);
  const parts = entries.map(([name, operand]) => {
    const operator = OPERATORS.get(name);
    if (operator) return (held: unknown) => operator(held, operand);
    throw new StoreRefused(
      `filter: ${key.slice(0, 100)} has an operator that is none of ${[...OPERATORS.keys()].join(", ")}`,
    );
  });
  return (held) => parts.every((holds) => holds(held));
}

function isSame(held: unknown, wanted: unknown): boolean {
  return held === wanted || isDeepStrictEqual(held, wanted);
}

/** Below, at or above zero; NaN for what has no order. */
function order(held: unknown, wanted: unknown): number {
  // What objects say of themselves as numbers may be anything, and may throw.
  if (isObject(held) || isObject(wanted)) return Number.NaN;
  const [a, b] = [Number(held), Number(wanted)];
  if (typeof held !== "string" || typeof wanted !== "string" || !(Number.isNaN(a) || Number.isNaN(b)))
    return a === b ? 0 : a - b;
  return held === wanted ? 0 : held < wanted ? -1 : 1;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
