/** Threads, found by what they are. */
import { z } from "zod";
import { THREAD_SORT_KEYS } from "../data/threads/filter.js";
import { MOST_LOOKED_AT, type ThreadSearch } from "../data/threads/search.js";
import type { ThreadRecord } from "../data/threads.js";
import { ExtractSchema, extractFrom } from "./extract.js";
import { type FreshDeps, freshThread } from "./freshThread.js";
import { type Resource, reply } from "./resource.js";
import { count, Id, JsonFilter, MetadataFilter, optional, ThreadShape, toThreadShape } from "./shapes.js";

const LOOKED_AT = `is checked on ${MOST_LOOKED_AT} threads at most`;

const Filter = z.object({
  metadata: optional(MetadataFilter).describe(
    `what the thread's must hold; plain values are indexed, a list or an object ${LOOKED_AT}`,
  ),
  values: optional(JsonFilter).describe(`what the state of the last run must hold; ${LOOKED_AT}`),
  status: optional(ThreadShape.shape.status),
});

/** `context` is in the SDKs' lists, and no thread has one. */
const Select = z.enum([...ThreadShape.omit({ ttl: true, extracted: true }).keyof().options, "context"]);

const ThreadSearchBody = Filter.extend({
  ids: optional(z.array(Id).max(MOST_LOOKED_AT, `must be at most ${MOST_LOOKED_AT}`)),
  limit: optional(count(1, 1_000)),
  offset: optional(count(0, 1_000_000)),
  sort_by: optional(z.enum(THREAD_SORT_KEYS)),
  sort_order: optional(z.enum(["asc", "desc"])),
  select: optional(z.array(Select)).describe("the fields to answer; all unless given"),
  extract: optional(ExtractSchema),
}).meta({ id: "ThreadSearch" });

const TOO_MANY = { 422: "what is wrong, with the name of the field; or the filter leaves too many to look at" };

/** Graphs that read states at once. */
const FRESHENED_AT_ONCE = 8;

export interface ThreadSearchDeps extends FreshDeps {
  search: Pick<ThreadSearch, "find" | "count">;
}

export function threadSearchRoutes(resource: Resource, { search, ...deps }: ThreadSearchDeps): void {
  /** In the order of the threads. */
  const freshen = async (threads: ThreadRecord[]): Promise<ThreadRecord[]> => {
    const fresh: ThreadRecord[] = [];
    for (let from = 0; from < threads.length; from += FRESHENED_AT_ONCE) {
      const some = threads.slice(from, from + FRESHENED_AT_ONCE);
      fresh.push(...(await Promise.all(some.map((thread) => freshThread(deps, thread)))));
    }
    return fresh;
  };

  resource.post(
    "/threads/search",
    {
      summary: "Search threads",
      description: "Threads of stateless runs that leave nothing are not found.",
      body: ThreadSearchBody,
      answers: {
        200: {
          description: "threads",
          json: z.array(ThreadShape.partial()),
          headers: {
            "X-Pagination-Total": "how many match, unless that would take looking at too many",
            "X-Pagination-Next": "the offset of the next page, if there may be one",
          },
        },
        ...TOO_MANY,
      },
    },
    async ({ body }) => {
      const { ids, metadata, values, status, select, extract } = body;
      const { limit = 10, offset = 0, sort_by: sortBy = "updated_at", sort_order: sortOrder = "desc" } = body;
      const paths = Object.values(body.extract ?? {});
      const wanted = (field: z.infer<typeof Select>) => !select || select.includes(field);
      const withState = wanted("values") || wanted("interrupts") || paths.length > 0;
      const filter = { ids, metadata, values, status };
      const found = await search.find(filter, { sortBy, sortOrder, offset, limit }, { withState });
      const threads = withState || wanted("status") ? await freshen(found.threads) : found.threads;
      const shapes = threads.map((thread) => {
        const shape = toThreadShape(thread);
        const shown = select
          ? Object.fromEntries(Object.entries(shape).filter(([name]) => wanted(name as "status")))
          : shape;
        return { ...shown, ...(extract && { extracted: extractFrom(shape, extract) }) };
      });
      return reply(shapes, {
        ...(found.total !== undefined && { "X-Pagination-Total": String(found.total) }),
        ...(found.more && { "X-Pagination-Next": String(offset + limit) }),
      });
    },
  );

  resource.post(
    "/threads/count",
    {
      summary: "Count threads",
      body: Filter,
      answers: { 200: { description: "how many match", json: z.int() }, ...TOO_MANY },
    },
    async ({ body: { metadata, values, status } }) => reply(await search.count({ metadata, values, status })),
  );
}
