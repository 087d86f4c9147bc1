/** Assistants: graphs with defaults, in versions. */
import { v4 } from "uuid";
import { z } from "zod";
import { type AssistantFilter, type Assistants, SORT_KEYS } from "../data/assistants.js";
import { HttpError, notFound } from "./errors.js";
import { type Resource, reply } from "./resource.js";
import { Config } from "./runRequest.js";
import {
  AssistantShape,
  count,
  Id,
  JsonFilter,
  JsonObject,
  optional,
  QueryFlag,
  queryCount,
  toAssistantShape,
} from "./shapes.js";

export type AssistantsCore = Pick<
  Assistants,
  "get" | "forRun" | "create" | "change" | "delete" | "find" | "versions" | "useVersion"
>;

export const AssistantPath = z.object({
  assistant_id: z.string().describe("its id, or a graph's for the assistant that comes with it"),
});
export const MISSING = { 404: "the assistant does not exist" };
const ONE = { 200: { description: "the assistant", json: AssistantShape } };

const Name = z.string().min(1).max(10_000);
const Fields = z.object({
  name: optional(Name),
  description: optional(z.string()),
  config: optional(Config).describe("defaults of its runs; what a run gives itself counts more"),
  context: optional(JsonObject),
  metadata: optional(JsonObject),
});

const AssistantCreate = Fields.extend({
  graph_id: z.string().min(1),
  assistant_id: optional(Id),
  if_exists: optional(z.enum(["raise", "do_nothing"])),
}).meta({ id: "AssistantCreate" });

const AssistantPatch = Fields.extend({
  graph_id: optional(z.string().min(1)),
  metadata: optional(JsonObject).describe("put over what is there; all else takes the place of what was there"),
}).meta({ id: "AssistantPatch" });

const Filter = z.object({
  graph_id: optional(z.string()),
  name: optional(z.string()).describe("a part of the name, in any case"),
  metadata: optional(JsonFilter).describe("every key must be there with an equal value"),
});
const TOO_MANY = { 422: "what is wrong, with the name of the field; or the filter leaves too many to look at" };

type Shape = z.infer<typeof AssistantShape>;

export function assistantRoutes(resource: Resource, assistants: AssistantsCore): void {
  resource.post(
    "/assistants",
    {
      summary: "Create an assistant",
      body: AssistantCreate,
      answers: { ...ONE, 404: "the graph does not exist", 409: "an assistant has this id" },
    },
    async ({ body }) => {
      const {
        graph_id: graphId,
        name = "Untitled",
        description = null,
        config = {},
        context = {},
        metadata = {},
      } = body;
      const given = { graphId, name, description, config, context, metadata };
      const created = await assistants.create(body.assistant_id ?? v4(), given, body.if_exists ?? "raise");
      return reply(toAssistantShape(created));
    },
  );

  resource.post(
    "/assistants/search",
    {
      summary: "Search assistants",
      body: Filter.extend({
        limit: optional(count(1, 1_000)),
        offset: optional(count(0, 1_000_000)),
        sort_by: optional(z.enum(SORT_KEYS)),
        sort_order: optional(z.enum(["asc", "desc"])),
        select: optional(z.array(z.enum(AssistantShape.keyof().options))),
      }),
      answers: {
        200: {
          description: "assistants",
          json: z.array(AssistantShape.partial()),
          headers: {
            "X-Pagination-Total": "how many match",
            "X-Pagination-Next": "the offset of the next page, if there is one",
          },
        },
        ...TOO_MANY,
      },
    },
    async ({ body }) => {
      const { limit = 10, offset = 0, sort_by: sortBy = "created_at", sort_order: sortOrder = "desc", select } = body;
      const { total, page } = await assistants.find(toFilter(body), { limit, offset, sortBy, sortOrder });
      const shapes = page.map(toAssistantShape);
      return reply(select ? shapes.map((assistant) => pick(assistant, select)) : shapes, {
        "X-Pagination-Total": String(total),
        ...(offset + limit < total && { "X-Pagination-Next": String(offset + limit) }),
      });
    },
  );

  resource.post(
    "/assistants/count",
    {
      summary: "Count assistants",
      body: Filter,
      answers: { 200: { description: "how many match", json: z.int() }, ...TOO_MANY },
    },
    async ({ body }) => {
      const none = { limit: 0, offset: 0, sortBy: "assistant_id", sortOrder: "asc" } as const;
      return reply((await assistants.find(toFilter(body), none)).total);
    },
  );

  resource.get(
    "/assistants/:assistant_id",
    { summary: "Get an assistant", params: AssistantPath, answers: { ...ONE, ...MISSING } },
    async ({ params }) => {
      const assistant = await assistants.get(params.assistant_id);
      if (!assistant) throw notFound(`assistant ${params.assistant_id}`);
      return reply(toAssistantShape(assistant));
    },
  );

  resource.patch(
    "/assistants/:assistant_id",
    {
      summary: "Change an assistant: make a new version of it",
      params: AssistantPath,
      body: AssistantPatch,
      answers: {
        ...ONE,
        404: "the assistant or the graph does not exist",
        409: "too many change the assistant at once",
      },
    },
    async ({ params, body }) => {
      const { graph_id: graphId, name, description, config, context, metadata } = body;
      const given = { graphId, name, description, config, context, metadata };
      return reply(toAssistantShape(await assistants.change(params.assistant_id, given)));
    },
  );

  resource.delete(
    "/assistants/:assistant_id",
    {
      summary: "Delete an assistant with all its versions",
      description: "Its open runs are cancelled. The assistant of a graph stays as long as the graph does.",
      params: AssistantPath,
      query: z.object({
        delete_threads: QueryFlag.default(false).describe("the threads whose latest run was its, too"),
      }),
      answers: { 204: "it is gone", ...MISSING, 409: "it comes with a graph of langgraph.json" },
    },
    async ({ params, query }) => {
      await assistants.delete(params.assistant_id, { deleteThreads: query.delete_threads });
      return { status: 204 };
    },
  );

  versionRoutes(resource, assistants);
}

const Version = count(1, Number.MAX_SAFE_INTEGER);
/** The platform's document says that the version comes in the query; its SDKs send it in the body. */
const QueryVersion = queryCount(1, Number.MAX_SAFE_INTEGER);

function versionRoutes(resource: Resource, assistants: AssistantsCore): void {
  resource.post(
    "/assistants/:assistant_id/versions",
    {
      summary: "List an assistant's versions, newest first",
      params: AssistantPath,
      body: z.object({
        metadata: Filter.shape.metadata,
        limit: optional(count(1, 1_000)),
        offset: optional(count(0, 1_000_000)),
      }),
      answers: { 200: { description: "versions", json: z.array(AssistantShape) }, ...MISSING, ...TOO_MANY },
    },
    async ({ params, body: { metadata, limit = 10, offset = 0 } }) => {
      const versions = await assistants.versions(params.assistant_id, { metadata, limit, offset });
      return reply(versions.map(toAssistantShape));
    },
  );

  resource.post(
    "/assistants/:assistant_id/latest",
    {
      summary: "Put a version of an assistant in use",
      description: "The version comes in the body; in the query it is understood, too.",
      params: AssistantPath,
      body: z
        .object({ version: optional(Version).meta({ type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) })
        .meta({ required: ["version"] }),
      answers: {
        ...ONE,
        404: "the assistant or the version does not exist",
        409: "too many change the assistant at once",
      },
    },
    async ({ params, body, request }) => {
      const version = body.version ?? QueryVersion.safeParse(request.query.version).data;
      if (version === undefined) throw new HttpError(422, "body.version: is required");
      return reply(toAssistantShape(await assistants.useVersion(params.assistant_id, version)));
    },
  );
}

const toFilter = ({ graph_id: graphId, name, metadata }: z.output<typeof Filter>): AssistantFilter => ({
  graphId,
  name,
  metadata,
});

function pick(assistant: Shape, keys: (keyof Shape)[]): Partial<Shape> {
  return Object.fromEntries(keys.map((key) => [key, assistant[key]]));
}
