/** `LANGGRAPH_CONFIG`: what a graph is configured with where neither its assistant nor the request says otherwise. */
import { z } from "zod";
import { ProjectError } from "./error.js";
import { type Environment, parseVariable } from "./source.js";

export interface GraphDefaults {
  config: {
    configurable?: Record<string, unknown> | undefined;
    metadata?: Record<string, unknown> | undefined;
    tags?: string[] | undefined;
    recursion_limit?: number | undefined;
    max_concurrency?: number | undefined;
  };
  context: Record<string, unknown> | undefined;
}

const VARIABLE = "LANGGRAPH_CONFIG";
const OBJECT = "must be an object";
const COUNT = "must be a whole number above 0";
const Fields = z.record(z.string(), z.unknown(), OBJECT);
const Config = z.object(
  {
    configurable: Fields.optional(),
    metadata: Fields.optional(),
    tags: z.array(z.string(), "must be a list of texts").optional(),
    recursion_limit: z.int(COUNT).min(1, COUNT).optional(),
    max_concurrency: z.int(COUNT).min(1, COUNT).optional(),
  },
  OBJECT,
);
/** A graph's config as it is, or `config` and `context` side by side. */
const Defaults = z.union(
  [z.object({ config: Config, context: Fields.optional() }), Config.extend({ context: Fields.optional() })],
  'must be a config such as {"configurable": {…}}, or {"config": {…}, "context": {…}}',
);
const ByGraph = z.record(z.string(), Defaults, "must be a map of graph ids to their configs");

/** @throws ProjectError without the values: they may be secrets */
export function graphDefaults(environment: Environment): ReadonlyMap<string, GraphDefaults> {
  const text = environment[VARIABLE];
  if (!text) return new Map();
  const parsed = ByGraph.safeParse(parseVariable(VARIABLE, text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ProjectError(`${[VARIABLE, ...(issue?.path ?? [])].join(".")} ${issue?.message ?? "is not valid"}`);
  }
  return new Map(
    Object.entries(parsed.data).map(([id, given]) => {
      if ("config" in given) return [id, { config: given.config, context: given.context }];
      const { context, ...config } = given;
      return [id, { config, context }];
    }),
  );
}

export function defaultsWarnings(defaults: ReadonlyMap<string, GraphDefaults>, graphIds: string[]): string[] {
  return [...defaults.keys()]
    .filter((id) => !graphIds.includes(id))
    .map((id) => `${VARIABLE} names the graph ${id}, which is not there`);
}
