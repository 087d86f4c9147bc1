/** What an assistant's graph looks like: its picture, and the schemas of what goes in and comes out. */
import { z } from "zod";
import { drawGraph } from "../graphs/drawing.js";
import type { Graphs } from "../graphs/load.js";
import type { SchemaSource } from "../graphs/schemaSource.js";
import type { GraphSchemas, Schemas } from "../graphs/schemas.js";
import { AssistantPath, type AssistantsCore } from "./assistants.js";
import { HttpError, notFound } from "./errors.js";
import { type Resource, reply } from "./resource.js";
import { JsonObject, QueryFlag } from "./shapes.js";

const MISSING = { 404: "the assistant or its graph does not exist" };
const SCHEMA_ANSWERS = {
  404: "the assistant or its graph does not exist, or the graph does not tell its schemas",
  503: "the schemas are being read, or the database does not answer; `Retry-After` says when to try again",
};

const Schema = JsonObject.nullable();
const GraphSchemaShape = z
  .object({
    graph_id: z.string(),
    input_schema: Schema,
    output_schema: Schema,
    state_schema: Schema,
    config_schema: Schema,
    context_schema: Schema,
  })
  .meta({ id: "GraphSchema", description: "JSON schemas; null is what the graph does not describe" });

const XRAY = "must be true, false, or how many levels of subgraphs to draw";
const Xray = z
  .string()
  .regex(/^(true|false|\d{1,4})$/, XRAY)
  .transform((given) => (given === "true" ? true : given === "false" ? false : Number(given)));

export interface AssistantGraphsDeps {
  assistants: Pick<AssistantsCore, "forRun">;
  graphs: Pick<Graphs, "get">;
  schemas: Pick<SchemaSource, "of">;
}

export function assistantGraphRoutes(resource: Resource, { assistants, graphs, schemas }: AssistantGraphsDeps): void {
  const schemasOf = async (id: string): Promise<{ graphId: string; read: GraphSchemas }> => {
    const { graphId } = await assistants.forRun(id);
    const read = await schemas.of(graphId);
    if (read === "pending")
      throw new HttpError(503, "the schemas of the graphs are being read; try again", { "Retry-After": "2" });
    if (!read) throw new HttpError(404, `graph ${graphId} does not tell its schemas`);
    return { graphId, read };
  };

  resource.get(
    "/assistants/:assistant_id/graph",
    {
      summary: "Get an assistant's graph for drawing",
      params: AssistantPath,
      query: z.object({ xray: Xray.default(false).describe("subgraphs drawn within: true, or so many levels") }),
      answers: {
        200: {
          description: "nodes and edges",
          json: z.object({ nodes: z.array(JsonObject), edges: z.array(JsonObject) }),
        },
        ...MISSING,
      },
    },
    async ({ params, query }) => {
      const { graphId, config } = await assistants.forRun(params.assistant_id);
      return reply(await drawGraph(await graphs.get(graphId, config), query.xray));
    },
  );

  resource.get(
    "/assistants/:assistant_id/schemas",
    {
      summary: "Get the JSON schemas of an assistant's graph",
      params: AssistantPath,
      answers: { 200: { description: "schemas", json: GraphSchemaShape }, ...SCHEMA_ANSWERS },
    },
    async ({ params }) => {
      const { graphId, read } = await schemasOf(params.assistant_id);
      return reply(toSchemaShape(graphId, read.schemas));
    },
  );

  const Recurse = z.object({ recurse: QueryFlag.default(false).describe("subgraphs of subgraphs, too") });
  const subgraphAnswers = {
    200: { description: "namespace → schemas", json: z.record(z.string(), GraphSchemaShape) },
    ...SCHEMA_ANSWERS,
  };

  resource.get(
    "/assistants/:assistant_id/subgraphs",
    {
      summary: "Get the schemas of an assistant's subgraphs",
      params: AssistantPath,
      query: Recurse,
      answers: subgraphAnswers,
    },
    async ({ params, query }) => {
      const { graphId, read } = await schemasOf(params.assistant_id);
      return reply(toShapes(graphId, read.subgraphs, (namespace) => query.recurse || !namespace.includes("|")));
    },
  );

  resource.get(
    "/assistants/:assistant_id/subgraphs/:namespace",
    {
      summary: "Get the schemas of one subgraph of an assistant, or of all within it",
      params: AssistantPath.extend({ namespace: z.string().describe("nodes, with `|` between") }),
      query: Recurse,
      answers: subgraphAnswers,
    },
    async ({ params: { assistant_id, namespace: wanted }, query }) => {
      const { graphId, read } = await schemasOf(assistant_id);
      if (!Object.hasOwn(read.subgraphs, wanted)) throw notFound(`subgraph ${wanted} of graph ${graphId}`);
      const within = (namespace: string) => query.recurse && namespace.startsWith(`${wanted}|`);
      return reply(toShapes(graphId, read.subgraphs, (namespace) => namespace === wanted || within(namespace)));
    },
  );
}

function toShapes(graphId: string, subgraphs: GraphSchemas["subgraphs"], wanted: (namespace: string) => boolean) {
  return Object.fromEntries(
    Object.entries(subgraphs)
      .filter(([namespace]) => wanted(namespace))
      .map(([namespace, schemas]) => [namespace, toSchemaShape(graphId, schemas)]),
  );
}

/** LangGraph.js knows no schema of `configurable` apart from that of the context, which older clients look for there. */
function toSchemaShape(graphId: string, { input, output, state, context }: Schemas): z.infer<typeof GraphSchemaShape> {
  return {
    graph_id: graphId,
    input_schema: input,
    output_schema: output,
    state_schema: state,
    config_schema: context,
    context_schema: context,
  };
}
