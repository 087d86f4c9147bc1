/** Assistants. This version has those of the system: one for each graph. */
import { z } from "zod";
import type { Assistant, Assistants } from "../data/assistants.js";
import { notFound } from "./errors.js";
import { type Resource, reply } from "./resource.js";
import { AssistantShape, count, JsonObject, optional, toAssistantShape } from "./shapes.js";

const Filter = z.object({
  graph_id: optional(z.string()),
  name: optional(z.string()).describe("a part of the name, in any case"),
  metadata: optional(JsonObject),
});

const SORT_KEYS = ["assistant_id", "created_at", "updated_at", "name", "graph_id"] as const;
type Shape = z.infer<typeof AssistantShape>;

export function assistantRoutes(resource: Resource, assistants: Pick<Assistants, "get" | "find">): void {
  const find = ({ graph_id: graphId, name, metadata }: z.output<typeof Filter>): Assistant[] =>
    assistants.find({ graphId, name, metadata });

  resource.get(
    "/assistants/:assistant_id",
    {
      summary: "Get an assistant",
      params: z.object({ assistant_id: z.string().describe("its id, or a graph's for its system assistant") }),
      answers: { 200: { description: "the assistant", json: AssistantShape }, 404: "the assistant does not exist" },
    },
    async ({ params }) => {
      const assistant = assistants.get(params.assistant_id);
      if (!assistant) throw notFound(`assistant ${params.assistant_id}`);
      return reply(toAssistantShape(assistant));
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
      },
    },
    async ({ body }) => {
      const { limit = 10, offset = 0, sort_by = "created_at", sort_order = "desc", select } = body;
      const found = find(body).map(toAssistantShape).sort(byKey(sort_by, sort_order));
      const page = found.slice(offset, offset + limit);
      return reply(select ? page.map((assistant) => pick(assistant, select)) : page, {
        "X-Pagination-Total": String(found.length),
        ...(offset + limit < found.length && { "X-Pagination-Next": String(offset + limit) }),
      });
    },
  );

  resource.post(
    "/assistants/count",
    { summary: "Count assistants", body: Filter, answers: { 200: { description: "how many match", json: z.int() } } },
    async ({ body }) => reply(find(body).length),
  );
}

/** Equal ones in the order of their ids, so that pages don't overlap. */
function byKey(key: (typeof SORT_KEYS)[number], order: "asc" | "desc") {
  const direction = order === "asc" ? 1 : -1;
  return (a: Shape, b: Shape) => direction * compare(a[key], b[key]) || compare(a.assistant_id, b.assistant_id);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function pick(assistant: Shape, keys: (keyof Shape)[]): Partial<Shape> {
  return Object.fromEntries(keys.map((key) => [key, assistant[key]]));
}
