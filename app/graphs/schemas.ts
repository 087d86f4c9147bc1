/**
 * The JSON schemas of graphs, read off the compiled graph with the means of the project's own LangGraph: what zod and
 * StateSchema describe is there when the program runs. `Annotation` describes nothing but the names (its types are gone
 * with the compiler), so of those come the names, and which of them hold messages. docs/decisions/schemas.md has why the
 * TypeScript is not read.
 *
 * It costs a moment of the processor, so it is done in a process apart (schemaSource.ts), never on a request.
 */
import type { Graph } from "./graph.js";
import type { Graphs } from "./load.js";
import type { Describe } from "./runtime.js";

export type JsonSchema = Record<string, unknown>;

/** `null` is: not described. */
export interface Schemas {
  input: JsonSchema | null;
  output: JsonSchema | null;
  state: JsonSchema | null;
  context: JsonSchema | null;
}

export interface GraphSchemas {
  schemas: Schemas;
  /** By namespace, `node` or `node|inner`; all levels. */
  subgraphs: Record<string, Schemas>;
}

/** By graph. One that can't be made without a run's config has no entry. */
export type ProjectSchemas = Record<string, GraphSchemas>;

export async function readSchemas(
  graphs: Pick<Graphs, "ids" | "get">,
  describe: Describe | undefined,
): Promise<ProjectSchemas> {
  const read: ProjectSchemas = {};
  for (const id of graphs.ids) {
    const graph = await graphs.get(id).catch(() => undefined);
    if (graph) read[id] = await ofGraph(graph, describe);
  }
  return read;
}

async function ofGraph(graph: Graph, describe: Describe | undefined): Promise<GraphSchemas> {
  const subgraphs: Record<string, Schemas> = {};
  for await (const [namespace, subgraph] of graph.getSubgraphsAsync(undefined, true))
    subgraphs[namespace] = schemasOf(subgraph, describe);
  return { schemas: schemasOf(graph, describe), subgraphs };
}

/** What a StateGraph remembers of the definitions that it was made from. */
interface Builder {
  _schemaDefinition?: object;
  _inputDefinition?: object;
  _outputDefinition?: object;
}

function schemasOf(graph: Graph, describe: Describe | undefined): Schemas {
  const builder: Builder = graph.builder ?? {};
  const named = (definition: object | undefined) => definition && byNames(graph, definition);
  return {
    input: described(describe?.getInputTypeSchema, graph) ?? named(builder._inputDefinition) ?? null,
    output: described(describe?.getOutputTypeSchema, graph) ?? named(builder._outputDefinition) ?? null,
    state: described(describe?.getStateTypeSchema, graph) ?? named(builder._schemaDefinition) ?? null,
    context: described(describe?.getConfigTypeSchema, graph) ?? null,
  };
}

/** A schema may hold what JSON Schema can't say (a transform, a class): then it counts as not described. */
function described(read: ((graph: unknown) => unknown) | undefined, graph: Graph): JsonSchema | undefined {
  try {
    const schema = read?.(graph);
    if (typeof schema !== "object" || schema === null || Object.keys(schema).length === 0) return undefined;
    return JSON.parse(JSON.stringify(schema)) as JsonSchema;
  } catch {
    return undefined;
  }
}

function byNames(graph: Graph, definition: object): JsonSchema {
  const properties = Object.keys(definition).map((name) => [name, takesMessages(graph.channels[name]) ? MESSAGES : {}]);
  return { type: "object", properties: Object.fromEntries(properties) };
}

/** Whether its reducer makes a message of what looks like one: it may be LangGraph's own, or one around that. */
function takesMessages(channel: unknown): boolean {
  if (typeof channel !== "object" || channel === null || !("operator" in channel)) return false;
  if (typeof channel.operator !== "function") return false;
  try {
    const [message] = channel.operator([], [{ role: "user", content: "" }]);
    return typeof message.getType === "function";
  } catch {
    return false;
  }
}

/** As LangGraph marks a list of messages for user interfaces. */
const MESSAGES = { type: "array", items: { type: "object" }, langgraph_type: "messages" };
