/** Parts of a thread that a search picks out: `values.messages[-1].content`. */
import { z } from "zod";

const MOST_PATHS = 10;
const ROOTS = ["values", "metadata", "config", "interrupts"] as const;
const PATH = /^(?:values|metadata|config|interrupts)(?:\.[^.[\]]+|\[-?\d{1,9}\])*$/;

type Root = (typeof ROOTS)[number];
export type Extract = Record<string, (thread: Record<Root, unknown>) => unknown>;

const Path = z
  .string()
  .max(1_000)
  .regex(PATH, `must be a path that begins with ${ROOTS.join(", ")}, such as values.messages[-1].content`);

export const ExtractSchema = z
  .record(z.string(), Path)
  .refine((paths) => Object.keys(paths).length <= MOST_PATHS, `must hold at most ${MOST_PATHS} paths`)
  .transform((paths): Extract => {
    const readers = Object.entries(paths).map(([alias, path]) => [alias, toReader(path)] as const);
    return Object.fromEntries(readers);
  })
  .describe(
    "alias → path of what `extracted` is to hold; a negative index counts from the end, what is not there is null",
  );

/** @returns what the paths lead to, under their aliases */
export function extractFrom(thread: Record<Root, unknown>, extract: Extract): Record<string, unknown> {
  return Object.fromEntries(Object.entries(extract).map(([alias, read]) => [alias, read(thread)]));
}

function toReader(path: string): Extract[string] {
  const steps = [...path.matchAll(/\[(-?\d+)\]|[^.[\]]+/g)].map(([name, index]) => (index ? Number(index) : name));
  return (thread) => steps.reduce<unknown>((held, step) => stepInto(held, step), thread) ?? null;
}

function stepInto(held: unknown, step: string | number): unknown {
  if (typeof step === "number") return Array.isArray(held) ? held.at(step) : undefined;
  if (typeof held !== "object" || held === null || Array.isArray(held) || !Object.hasOwn(held, step)) return undefined;
  return (held as Record<string, unknown>)[step];
}
