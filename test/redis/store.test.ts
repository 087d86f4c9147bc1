/** What the store adds to LangGraph's semantics: times to live, limits, the cost of a search, and nothing left behind. */
import { InMemoryStore } from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { ItemStore } from "../../app/data/store/items.js";
import { StoreRefused } from "../../app/data/store/names.js";
import { commands } from "../support/checkpoints.js";
import { type Core, startCore } from "../support/core.js";
import { graphStoreOn, itemsOn, places } from "../support/items.js";

let core: Core;
let items: ItemStore;
beforeAll(async () => {
  core = await startCore();
  items = itemsOn(core);
});
afterAll(() => core.stop());
beforeEach(async () => {
  await core.admin.flushall();
});

const page = { limit: 10, offset: 0 };

describe("namespaces", () => {
  test("a prefix ends where a label ends, and its characters stand for themselves", async () => {
    for (const first of ["user", "users", "user_1", "user%", "userX1"]) await items.put([first, "x"], "k", {});
    expect(places(await items.search(["user"], page))).toEqual(["user.x/k"]);
    expect(places(await items.search(["user_1"], page))).toEqual(["user_1.x/k"]);
    expect(places(await items.search(["user%"], page))).toEqual(["user%.x/k"]);
    expect(await items.namespaces({ ...page, prefix: ["user"] })).toEqual([["user", "x"]]);
  });

  test("a search without a prefix goes through all partitions, the latest written first", async () => {
    const labels = Array.from({ length: 40 }, (_, at) => `label-${at}`);
    for (const label of labels) await items.put([label], "k", { label });
    const latest = labels.toReversed().map((label) => `${label}/k`);
    expect(places(await items.search([], { limit: 100, offset: 0 }))).toEqual(latest);
    expect(places(await items.search([], { limit: 7, offset: 30 }))).toEqual(latest.slice(30, 37));
    await items.put(["label-3"], "k", { again: true });
    expect(places(await items.search([], { limit: 1, offset: 0 }))).toEqual(["label-3/k"]);
    expect(await items.namespaces({ limit: 3, offset: 38 })).toEqual(
      labels
        .sort()
        .slice(38)
        .map((label) => [label]),
    );
  });

  test("thousands of items and namespaces come page by page, each once", async () => {
    const numbers = Array.from({ length: 1_234 }, (_, at) => at);
    await Promise.all(numbers.map((at) => items.put(["users", String(at).padStart(4, "0"), "notes"], "k", { at })));
    const all = await items.search(["users"], { limit: Number.POSITIVE_INFINITY, offset: 0 });
    expect(all.map(({ value }) => Number(value.at)).sort((a, b) => a - b)).toEqual(numbers);
    const named = numbers.map((at) => ["users", String(at).padStart(4, "0")]);
    const most = { limit: Number.POSITIVE_INFINITY, offset: 0 };
    expect(await items.namespaces({ ...most, maxDepth: 2 })).toEqual(named);
    expect(await items.namespaces({ ...most, maxDepth: 2, suffix: ["notes"] })).toEqual(named);
    expect(await items.namespaces({ ...most, maxDepth: 1 })).toEqual([["users"]]);
    expect(await items.namespaces({ limit: 2, offset: 1_200, maxDepth: 2 })).toEqual(named.slice(1_200, 1_202));
  });

  test("large values are read in several answers", async () => {
    const text = "x".repeat(400_000);
    for (let at = 0; at < 8; at++) await items.put(["large"], String(at), { text, at });
    const found = await items.search(["large"], page);
    expect(found.map(({ value }) => value.at)).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
    expect(found.every(({ value }) => value.text === text)).toBe(true);
  });
});

describe("the cost", () => {
  test("a search asks for what it answers, whatever the store holds", async () => {
    await Promise.all(Array.from({ length: 2_000 }, (_, at) => items.put(["many", `n${at % 50}`], `k${at}`, { at })));
    const counted = await commands(core, () => items.search(["many"], { limit: 10, offset: 500 }));
    expect(counted).toMatchObject({ hmget: 10, zrevrange: 1, evalsha: 2 });
    expect(Object.keys(counted).filter((name) => /^(scan|keys|zrange|hgetall|smembers)$/.test(name))).toEqual([]);
    const names = await commands(core, () => items.namespaces({ limit: 10, offset: 0, prefix: ["many"] }));
    expect(names).toMatchObject({ zrangebylex: 1, evalsha: 1 });
  });

  test("a filter looks at 1,000 items, and then says so", async () => {
    await Promise.all(Array.from({ length: 1_001 }, (_, at) => items.put(["many"], `k${at}`, { at })));
    const none = { ...page, filter: { at: -1 } };
    await expect(items.search(["many"], none)).rejects.toThrow(
      "the search would have to look at more than 1000 items; give a longer namespace_prefix, or a smaller page",
    );
    expect(await items.search(["many"], { ...none, filter: { at: { $gte: 0 } } })).toHaveLength(10);
    await items.delete(["many"], "k0");
    expect(await items.search(["many"], none)).toEqual([]);
  });
});

describe("times to live", () => {
  test("an item is gone when its time is over, from listings too, and a sweep leaves nothing of it", async () => {
    await items.put(["short", "a"], "k", { n: 1 }, 150);
    await items.put(["short", "b"], "k", { n: 2 });
    expect(await items.search(["short"], page)).toHaveLength(2);
    await vi.waitFor(async () => expect(await items.get(["short", "a"], "k", false)).toBeUndefined(), 5_000);
    expect(places(await items.search(["short"], page))).toEqual(["short.b/k"]);
    expect(await items.namespaces(page)).toEqual([["short", "b"]]);
    await items.delete(["short", "b"], "k");
    expect(await core.admin.dbsize()).toBe(0);

    await Promise.all(Array.from({ length: 1_200 }, (_, at) => items.put(["short", `n${at}`], "k", {}, 1)));
    await vi.waitFor(async () => {
      await items.sweep();
      expect(await core.admin.dbsize()).toBe(0);
    }, 5_000);
  });

  test("what is put anew where an item has just gone is a new one", async () => {
    await items.put(["a"], "k", { n: 1 }, 1);
    await vi.waitFor(async () => expect(await items.get(["a"], "k", false)).toBeUndefined(), 5_000);
    const before = Date.now();
    await items.put(["a"], "k", { n: 2 });
    const [item] = await items.search(["a"], page);
    expect(item).toMatchObject({ value: { n: 2 } });
    expect(item?.createdAt.getTime()).toBeGreaterThanOrEqual(before);
    await items.delete(["a"], "k");
    expect(await core.admin.dbsize()).toBe(0);
  });

  test("reads begin it anew, unless they or the project say no; a put says it anew", async () => {
    const left = () => core.admin.pttl(core.keys.of("a", "store", "item", "a\0\0k"));
    await items.put(["a"], "k", { n: 1 }, 60_000);
    const shorten = () => core.admin.pexpire(core.keys.of("a", "store", "item", "a\0\0k"), 1_000);
    const readings: [refreshes: boolean, read: () => Promise<unknown>][] = [
      [true, () => items.get(["a"], "k")],
      [true, () => items.search(["a"], page)],
      [true, () => items.search(["a"], { ...page, filter: { n: 1 } })],
      [true, () => graphStoreOn(items).get(["a"], "k")],
      [false, () => items.get(["a"], "k", false)],
      [false, () => items.search(["a"], { ...page, refresh: false })],
      [false, () => items.search(["a"], { ...page, filter: { n: 2 } })],
      [false, () => itemsOn(core, { refreshOnRead: false }).get(["a"], "k")],
    ];
    for (const [refreshes, read] of readings) {
      await shorten();
      await read();
      expect((await left()) > 1_000, String(read)).toBe(refreshes);
    }
    await items.put(["a"], "k", { n: 1 });
    expect(await left()).toBe(-1);
  });

  test("the project's default is for items that are put without one", async () => {
    const withDefault = itemsOn(core, { refreshOnRead: true, defaultMs: 60_000 });
    await withDefault.put(["a"], "default", {});
    await withDefault.put(["a"], "stays", {}, null);
    await withDefault.put(["a"], "own", {}, 1_000_000);
    const left = (key: string) => core.admin.pttl(core.keys.of("a", "store", "item", `a\0\0${key}`));
    expect(await left("default")).toBeGreaterThan(50_000);
    expect(await left("default")).toBeLessThanOrEqual(60_000);
    expect(await left("stays")).toBe(-1);
    expect(await left("own")).toBeGreaterThan(60_000);
  });
});

describe("refusals", () => {
  test.each([
    ["no label", [], "k", {}, "namespace must have a label"],
    ["an empty label", ["a", ""], "k", {}, "namespace must have no empty label"],
    ["a label with a point", ["a.b"], "k", {}, 'namespace must have no label with a "."'],
    ["LangGraph's own label", ["langgraph"], "k", {}, 'namespace must not begin with "langgraph"'],
    ["too many labels", Array(33).fill("a"), "k", {}, "namespace must have at most 32 labels"],
    ["a long label", ["a".repeat(1_025)], "k", {}, "namespace must have at most 1024 bytes"],
    ["a NUL", ["a\0b"], "k", {}, "namespace must not hold the character NUL"],
    ["half a character", ["a"], "\ud800", {}, "key must be valid Unicode"],
    ["a long key", ["a"], "ä".repeat(513), {}, "key must have at most 1024 bytes"],
    ["a list as value", ["a"], "k", [], "value must be an object"],
    ["a date as value", ["a"], "k", new Date(), "value must be an object"],
  ])("%s, and nothing is stored", async (_, namespace, key, value, sentence) => {
    const refused = items.put(namespace, key, value);
    await expect(refused).rejects.toThrow(StoreRefused);
    await expect(refused).rejects.toThrow(sentence);
    expect(await core.admin.dbsize()).toBe(0);
  });

  test("where nothing can be, nothing is found, and nothing is deleted", async () => {
    expect(await items.get([], "k")).toBeUndefined();
    expect(await items.get(["a.b"], "k")).toBeUndefined();
    await items.delete(["a"], "k");
    await items.delete(["a\0\0b"], "k");
    expect(await core.admin.dbsize()).toBe(0);
  });

  test("pages that can't be", async () => {
    await expect(items.search(["a"], { limit: -1, offset: 0 })).rejects.toThrow("limit must be a whole number");
    await expect(items.search(["a"], { limit: 1, offset: 0.5 })).rejects.toThrow("offset must be a whole number");
    await expect(items.namespaces({ ...page, maxDepth: 0 })).rejects.toThrow("max_depth must be at least 1");
  });
});

test("names that JavaScript's objects have are names like others", async () => {
  for (const name of ["__proto__", "constructor", "toString"]) await items.put([name], name, { [name]: name });
  expect(places(await items.search([], page))).toEqual(
    ["toString", "constructor", "__proto__"].map((name) => `${name}/${name}`),
  );
  expect((await items.get(["constructor"], "constructor"))?.value).toEqual({ constructor: "constructor" });
});

test("an item keeps its time of creation, and values come back as JSON has them", async () => {
  const reference = new InMemoryStore();
  const store = graphStoreOn(items);
  for (const each of [reference, store])
    await each.put(["a"], "k", { n: 1, gone: undefined, at: new Date(0), half: "\ud800" });
  const first = await store.get(["a"], "k");
  expect(first?.value).toEqual({ n: 1, at: "1970-01-01T00:00:00.000Z", half: "\ud800" });
  await vi.waitFor(async () => {
    await store.put(["a"], "k", { n: 2 });
    const second = await store.get(["a"], "k");
    expect(second?.createdAt).toEqual(first?.createdAt);
    expect(second?.updatedAt.getTime()).toBeGreaterThan(first?.updatedAt.getTime() ?? 0);
  });
  const shape = (item: object | null) => Object.keys(item ?? {}).sort();
  expect(shape(first)).toEqual(shape(await reference.get(["a"], "k")));
});

test("when Redis is full, a client's put is refused, and those of accepted runs, reads and deletes go on", async () => {
  await items.put(["a"], "k", { n: 1 }, 60_000);
  await core.admin.config("SET", "maxmemory", "1mb");
  try {
    await expect(items.put(["a"], "more", {})).rejects.toThrow(/OOM/);
    await graphStoreOn(itemsOn({ ...core, evenWhenFull: true })).put(["a"], "of a run", { n: 2 });
    expect(places(await items.search(["a"], page))).toEqual(["a/of a run", "a/k"]);
    await items.delete(["a"], "k");
    expect(await items.namespaces(page)).toEqual([["a"]]);
    expect(await items.get(["a"], "k")).toBeUndefined();
  } finally {
    await core.admin.config("SET", "maxmemory", "0");
  }
});
