/** The store: what graphs and clients remember across threads. */
import { z } from "zod";
import type { Item, ItemStore } from "../data/store/items.js";
import { problemOfHome, problemOfKey, problemOfNamespace } from "../data/store/names.js";
import { type Reply, type Resource, reply } from "./resource.js";
import { count, JsonObject, optional, QueryFlag } from "./shapes.js";

const MS_PER_MINUTE = 60_000;
/** A hundred years; what is longer would not fit into a time of Redis. */
const MOST_MINUTES = 52_560_000;

/** A schema whose values `problemOf` has nothing to say against. */
function named<S extends z.ZodType>(schema: S, problemOf: (value: z.output<S>) => string | undefined): S {
  return schema.superRefine((value, context) => {
    const problem = problemOf(value);
    if (problem) context.addIssue({ code: "custom", message: problem });
  });
}

// For the document alone: what is wrong is said by `problemOf…`, in one sentence for a whole namespace.
const LABEL = { minLength: 1, maxLength: 1_024, pattern: "^[^.\\u0000]*$" };
const MOST = { maxItems: 32 };

const Labels = z.array(z.string().meta(LABEL));
const Home = named(Labels, problemOfHome).meta({ minItems: 1, ...MOST });
const Namespace = named(Labels, (labels) =>
  labels.length === 0 ? "must have a label" : problemOfNamespace(labels),
).meta({ minItems: 1, ...MOST });
const Prefix = named(Labels, problemOfNamespace).meta(MOST);
const Key = named(z.string(), problemOfKey).meta({ maxLength: 1_024, pattern: "^[^\\u0000]*$" });

/** An object with all its keys: a record would leave `__proto__` out, and a filter without it finds everything. */
const OpenObject = z
  .custom<Record<string, unknown>>(isPlainObject, {
    error: ({ input }) => (input === undefined ? "is required" : "must be an object"),
  })
  .refine((value) => !holdsPrototype(value), "must not hold the key __proto__")
  .meta({ type: "object" });

function isPlainObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function holdsPrototype(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(holdsPrototype);
}

const Put = z
  .object({
    namespace: Home,
    key: Key,
    value: OpenObject,
    index: z
      .union([z.literal(false), z.array(z.string())], "must be false or a list of paths")
      .nullish()
      .describe("which fields a search by meaning would look at; has no effect, since there is none"),
    ttl: z
      .number()
      .gt(0, "must be more than 0")
      .max(MOST_MINUTES)
      .nullish()
      .describe("minutes; null for an item that stays; without it as langgraph.json says"),
  })
  .meta({ id: "StorePut" });

/** SDKs send one text with points, the platform's document asks for a parameter a label. */
const QueryNamespace = z
  .union([z.string(), Labels], "is required")
  .transform((given) => (typeof given === "string" ? given.split(".") : given))
  .pipe(Namespace)
  .meta({
    description: "labels joined by points, or a parameter a label",
    anyOf: [
      { type: "string", pattern: "^[^.\\u0000]+(\\.[^.\\u0000]+){0,31}$" },
      { type: "array", items: { type: "string", ...LABEL }, minItems: 1, ...MOST },
    ],
  });

const REFRESH = "whether the time to live of what is found begins anew; without it as langgraph.json says";

const Search = z
  .object({
    namespace_prefix: optional(Prefix).describe("labels that namespaces begin with; none for all"),
    filter: optional(OpenObject)
      .meta({ type: ["object", "null"] })
      .describe(
        "values of the item's fields to equal, or operators: $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin; looks at no more than 1,000 items",
      ),
    limit: optional(count(1, 1_000)),
    offset: optional(count(0, 1_000_000)),
    query: optional(z.string()).describe("has no effect: there is no search by meaning"),
    refresh_ttl: optional(z.boolean()).describe(REFRESH),
  })
  .meta({ id: "StoreSearch" });

const Namespaces = z
  .object({
    prefix: optional(Prefix).describe("labels that namespaces begin with; * is any label"),
    suffix: optional(Prefix).describe("labels that namespaces end with; * is any label"),
    max_depth: optional(count(1, 1_000)).describe("longer namespaces are cut to so many labels"),
    limit: optional(count(1, 1_000)),
    offset: optional(count(0, 1_000_000)),
  })
  .meta({ id: "StoreNamespaces" });

const ItemShape = z
  .object({
    namespace: z.array(z.string()),
    key: z.string(),
    value: JsonObject,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: "Item" });
const FoundItem = ItemShape.extend({ score: z.null().describe("of a search by meaning, which there is not") });

export type StoreItems = Pick<ItemStore, "put" | "get" | "delete" | "search" | "namespaces">;

export function storeRoutes(resource: Resource, items: StoreItems): void {
  resource.put(
    "/store/items",
    { summary: "Store or replace an item", body: Put, answers: { 204: "it is stored" } },
    async ({ body: { namespace, key, value, ttl } }) => {
      await items.put(namespace, key, value, ttl && Math.max(1, Math.round(ttl * MS_PER_MINUTE)));
      return nothing;
    },
  );

  resource.get(
    "/store/items",
    {
      summary: "Get an item",
      query: z.object({ namespace: QueryNamespace, key: Key, refresh_ttl: QueryFlag.optional().describe(REFRESH) }),
      answers: { 200: { description: "the item, or null", json: z.union([ItemShape, z.null()]) } },
    },
    async ({ query: { namespace, key, refresh_ttl } }) => {
      const item = await items.get(namespace, key, refresh_ttl);
      return reply(item ? toItemShape(item) : null);
    },
  );

  resource.delete(
    "/store/items",
    {
      summary: "Delete an item",
      body: z.object({ namespace: Namespace, key: Key }),
      answers: { 204: "it is not there, or not any more" },
    },
    async ({ body: { namespace, key } }) => {
      await items.delete(namespace, key);
      return nothing;
    },
  );

  resource.post(
    "/store/items/search",
    {
      summary: "Search items, the latest written first",
      body: Search,
      answers: { 200: { description: "items", json: z.object({ items: z.array(FoundItem) }) } },
    },
    async ({ body }) => {
      const { namespace_prefix: prefix = [], filter, limit = 10, offset = 0, refresh_ttl: refresh } = body;
      const found = await items.search(prefix, { filter, limit, offset, refresh });
      return reply({ items: found.map((item) => ({ ...toItemShape(item), score: null })) });
    },
  );

  resource.post(
    "/store/namespaces",
    {
      summary: "List namespaces that hold items, by name",
      body: Namespaces,
      answers: { 200: { description: "namespaces", json: z.object({ namespaces: z.array(z.array(z.string())) }) } },
    },
    async ({ body: { prefix, suffix, max_depth: maxDepth, limit = 100, offset = 0 } }) =>
      reply({ namespaces: await items.namespaces({ prefix, suffix, maxDepth, limit, offset }) }),
  );
}

const nothing: Reply = { status: 204 };

function toItemShape({ namespace, key, value, createdAt, updatedAt }: Item): z.infer<typeof ItemShape> {
  return { namespace, key, value, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}
