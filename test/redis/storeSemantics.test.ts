/** The same calls to LangGraph's own InMemoryStore and to ours have the same answers. */
import {
  type BaseStore,
  type GetOperation,
  InMemoryStore,
  type PutOperation,
  type SearchOperation,
} from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Core, startCore } from "../support/core.js";
import { graphStoreOn, itemsOn } from "../support/items.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
afterAll(() => core.stop());

const label = fc.constantFrom("a", "b", "a_", "a%", "ab", "ä", "a-b", "langgraph-1", "__proto__");
const namespace = fc.array(label, { minLength: 1, maxLength: 4 });
const prefix = fc.array(label, { maxLength: 3 });
const pattern = fc.array(fc.oneof(label, fc.constant("*")), { minLength: 1, maxLength: 3 });
const key = fc.constantFrom("k", "l", "", "k:l", "a.b", "ключ");
const scalar = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom("1", "2.5", "", true, false, null));
const field = fc.constantFrom("n", "m");
const value = fc.dictionary(field, fc.oneof(scalar, fc.array(scalar), fc.record({ n: scalar })), {
  noNullPrototype: true,
});
const condition = fc.oneof(
  scalar,
  fc.dictionary(fc.constantFrom("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"), scalar, { noNullPrototype: true }),
  fc.record({ $in: fc.array(scalar) }),
  fc.record({ $nin: fc.array(scalar) }),
);
const page = { limit: fc.integer({ min: 0, max: 6 }), offset: fc.integer({ min: 0, max: 4 }) };

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ put: fc.record({ namespace, key, value }) }) },
  { weight: 1, arbitrary: fc.record({ remove: fc.record({ namespace, key }) }) },
  { weight: 1, arbitrary: fc.record({ get: fc.record({ namespace, key }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      search: fc.record({
        prefix,
        options: fc.record(
          { ...page, filter: fc.dictionary(field, condition, { noNullPrototype: true }) },
          { requiredKeys: [] },
        ),
      }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      list: fc.record(
        { ...page, prefix: pattern, suffix: pattern, maxDepth: fc.integer({ min: 1, max: 4 }) },
        { requiredKeys: [] },
      ),
    }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never;

/** LangGraph's store, but for the two things in which ours is as the platform's: the order, and what holds nothing. */
class Reference {
  readonly #store = new InMemoryStore();
  readonly #written = new Map<string, number>();
  #clock = 0;

  async apply(operation: Operation): Promise<unknown> {
    if ("put" in operation) {
      this.#written.set(JSON.stringify([operation.put.namespace, operation.put.key]), ++this.#clock);
      return apply(this.#store, structuredClone(operation));
    }
    if ("search" in operation) return await this.#search(operation.search);
    if ("list" in operation) return await this.#list(operation.list);
    return apply(this.#store, operation);
  }

  async #search({ prefix, options }: Extract<Operation, { search: unknown }>["search"]) {
    const { limit = 10, offset = 0 } = options;
    const all = await this.#store.search(prefix, { ...options, limit: Number.POSITIVE_INFINITY, offset: 0 });
    const written = (item: (typeof all)[number]) => this.#written.get(JSON.stringify([item.namespace, item.key])) ?? 0;
    return all
      .sort((a, b) => written(b) - written(a))
      .slice(offset, offset + limit)
      .map(seen);
  }

  /** It goes on to list namespaces whose last item was deleted. */
  async #list(options: Extract<Operation, { list: unknown }>["list"]) {
    const { limit = 100, offset = 0 } = options;
    const filled = new InMemoryStore();
    const all = await this.#store.search([], { limit: Number.POSITIVE_INFINITY });
    for (const { namespace, key, value } of all) await filled.put(namespace, key, value);
    const found = await filled.listNamespaces({ ...options, limit: Number.POSITIVE_INFINITY, offset: 0 });
    const byBytes = (a: string[], b: string[]) => Buffer.compare(Buffer.from(a.join("\0")), Buffer.from(b.join("\0")));
    return found.sort(byBytes).slice(offset, offset + limit);
  }
}

const seen = ({ namespace, key, value }: { namespace: string[]; key: string; value: unknown }) => ({
  ...{ namespace, key, value },
});

async function apply(store: BaseStore, operation: Operation): Promise<unknown> {
  if ("put" in operation) return await store.put(operation.put.namespace, operation.put.key, operation.put.value);
  if ("remove" in operation) return await store.delete(operation.remove.namespace, operation.remove.key);
  if ("search" in operation) return (await store.search(operation.search.prefix, operation.search.options)).map(seen);
  if ("list" in operation) return await store.listNamespaces(operation.list);
  const item = await store.get(operation.get.namespace, operation.get.key);
  return item && seen(item);
}

test("puts, gets, deletes, searches and listings answer as InMemoryStore does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 40 }), async (operations) => {
      await core.admin.flushall();
      const ours = graphStoreOn(itemsOn(core));
      const reference = new Reference();
      for (const each of operations) expect(await apply(ours, each)).toEqual(await reference.apply(each));
    }),
    { numRuns: 150 },
  );
}, 120_000);

test("a batch reads what was there before, and of several writes to an item stores the last", async () => {
  const batch = async (store: BaseStore) => {
    await store.put(["a"], "k", { n: 1 });
    const [before, found] = await store.batch<[GetOperation, SearchOperation, PutOperation, PutOperation]>([
      { namespace: ["a"], key: "k" },
      { namespacePrefix: ["a"], limit: 10, offset: 0 },
      { namespace: ["a"], key: "k", value: { n: 2 } },
      { namespace: ["a"], key: "k", value: { n: 3 } },
    ]);
    return [before?.value, found.map(({ value }) => value), (await store.get(["a"], "k"))?.value];
  };
  await core.admin.flushall();
  expect(await batch(graphStoreOn(itemsOn(core)))).toEqual([{ n: 1 }, [{ n: 1 }], { n: 3 }]);
});

test("two prefixes at once, which only a batch can name, are refused", async () => {
  const prefix = (label: string) => ({ matchType: "prefix" as const, path: [label] });
  const both = { matchConditions: [prefix("a"), prefix("b")], limit: 10, offset: 0 };
  await expect(graphStoreOn(itemsOn(core)).batch([both])).rejects.toThrow("listed by one prefix at a time");
});

test("filters compare texts, lists and objects, which InMemoryStore does not", async () => {
  await core.admin.flushall();
  const store = graphStoreOn(itemsOn(core));
  await store.put(["a"], "old", { at: "2024-05-01T00:00:00Z", tags: ["x"], by: { name: "Ada" } });
  await store.put(["a"], "new", { at: "2025-05-01T00:00:00Z", tags: [], by: null });
  const found = async (filter: object) => (await store.search(["a"], { filter })).map((item) => item.key);
  expect(await found({ at: { $lt: "2025-01-01" } })).toEqual(["old"]);
  expect(await found({ tags: ["x"] })).toEqual(["old"]);
  expect(await found({ by: { $ne: { name: "Ada" } } })).toEqual(["new"]);
  expect(await found({ by: { name: "Ada" } })).toEqual(["old"]);
  expect(await found({ toString: { $ne: 1 } })).toEqual(["new", "old"]);
  await expect(found({ at: { $regex: ".*" } })).rejects.toThrow("filter: at has an operator that is none of $eq");
});
