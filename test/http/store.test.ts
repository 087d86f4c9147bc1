import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Core, startCore } from "../support/core.js";
import { graphStoreOn, itemsOn, places } from "../support/items.js";
import { detailOf, post, type Started, startServer } from "./support.js";

let core: Core;
let servers: Started[];
let first: Client;
let second: Client;
beforeAll(async () => {
  core = await startCore();
  servers = await Promise.all([startServer({ items: itemsOn(core) }), startServer({ items: itemsOn(core) })]);
  const clients = servers.map(({ url }) => new Client({ apiUrl: url, apiKey: null, callerOptions: { maxRetries: 0 } }));
  [first = expect.fail(), second = expect.fail()] = clients;
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await core.stop();
});
beforeEach(async () => {
  await core.admin.flushall();
});

const at = (path: string) => `${servers[0]?.url}${path}`;

/** A request with a body, past the SDK. */
function send(method: string, path: string, body: unknown): Promise<Response> {
  const text = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return fetch(at(path), { method, headers: { "content-type": "application/json" }, body: text });
}

describe("the official SDK", () => {
  test("finds through one server what was put through another, until it is deleted", async () => {
    const before = Date.now();
    await first.store.putItem(["users", "ada"], "profile", { name: "Ada", born: 1815, tags: ["math"] });
    const item = await second.store.getItem(["users", "ada"], "profile");
    expect(item).toMatchObject({
      ...{ namespace: ["users", "ada"], key: "profile", value: { name: "Ada", born: 1815, tags: ["math"] } },
      ...{ createdAt: item?.updatedAt },
    });
    expect(Date.parse(item?.createdAt ?? "")).toBeGreaterThanOrEqual(before);

    await second.store.putItem(["users", "ada"], "profile", { name: "Ada Lovelace" });
    const replaced = await first.store.getItem(["users", "ada"], "profile");
    expect(replaced).toMatchObject({ value: { name: "Ada Lovelace" }, createdAt: item?.createdAt });
    expect(replaced?.value).not.toHaveProperty("born");

    await first.store.deleteItem(["users", "ada"], "profile");
    expect(await second.store.getItem(["users", "ada"], "profile")).toBeNull();
    await first.store.deleteItem(["users", "ada"], "profile");
    expect(await core.admin.dbsize()).toBe(0);
  });

  test("searches by prefix and filter, page by page, the latest written first", async () => {
    for (const [at, name] of ["ada", "bob", "cy", "dee"].entries())
      await first.store.putItem(["users", name], "profile", { at, even: at % 2 === 0 });
    await first.store.putItem(["users_2", "eve"], "profile", { at: 9, even: false });
    const found = async (prefix: string[], options = {}) =>
      places((await second.store.searchItems(prefix, options)).items);
    expect(await found(["users"])).toEqual(["dee", "cy", "bob", "ada"].map((name) => `users.${name}/profile`));
    expect(await found(["users"], { limit: 2, offset: 1 })).toEqual(["users.cy/profile", "users.bob/profile"]);
    expect(await found([], { filter: { even: false } })).toEqual([
      ...["users_2.eve/profile", "users.dee/profile", "users.bob/profile"],
    ]);
    expect(await found(["users"], { filter: { at: { $gte: 1, $lt: 3 } } })).toEqual([
      ...["users.cy/profile", "users.bob/profile"],
    ]);
    expect(await found(["users"], { query: "who likes trains?" })).toHaveLength(4);
    expect(await found(["nobody"])).toEqual([]);
    const { items } = await first.store.searchItems(["users", "ada"]);
    expect(items).toEqual([expect.objectContaining({ score: null, updatedAt: items[0]?.createdAt })]);
  });

  test("lists namespaces", async () => {
    for (const namespace of [
      ["users", "ada", "notes"],
      ["users", "bob", "notes"],
      ["users", "bob"],
      ["teams", "x"],
    ])
      await first.store.putItem(namespace, "k", {});
    const listed = async (options?: object) => (await second.store.listNamespaces(options)).namespaces;
    expect(await listed()).toEqual([
      ["teams", "x"],
      ["users", "ada", "notes"],
      ["users", "bob"],
      ["users", "bob", "notes"],
    ]);
    expect(await listed({ prefix: ["users"], maxDepth: 2 })).toEqual([
      ["users", "ada"],
      ["users", "bob"],
    ]);
    expect(await listed({ prefix: ["users", "*"], suffix: ["notes"] })).toHaveLength(2);
    expect(await listed({ limit: 1, offset: 1 })).toEqual([["users", "ada", "notes"]]);
  });

  test("gives items a time to live in minutes, which reads begin anew unless told otherwise", async () => {
    await first.store.putItem(["short"], "k", {}, { ttl: 0.005, index: false });
    await vi.waitFor(async () => {
      expect(await second.store.getItem(["short"], "k", { refreshTtl: false })).toBeNull();
    }, 5_000);
    const left = () => core.admin.pttl(core.keys.of("long", "store", "item", "long\0\0k"));
    await first.store.putItem(["long"], "k", {}, { ttl: 60, index: ["title"] });
    const shorten = () => core.admin.pexpire(core.keys.of("long", "store", "item", "long\0\0k"), 60_000);
    await shorten();
    await second.store.getItem(["long"], "k", { refreshTtl: false });
    await second.store.searchItems(["long"], { refreshTtl: false });
    expect(await left()).toBeLessThanOrEqual(60_000);
    await second.store.getItem(["long"], "k");
    expect(await left()).toBeGreaterThan(60_000);
    await shorten();
    await second.store.searchItems(["long"]);
    expect(await left()).toBeGreaterThan(60_000);
    await second.store.putItem(["long"], "k", {}, { ttl: null });
    expect(await left()).toBe(-1);
  });

  test("finds what a graph put, and graphs find what it put", async () => {
    const store = graphStoreOn(itemsOn(core));
    await store.put(["memories"], "of a graph", { n: 1 });
    await first.store.putItem(["memories"], "of a client", { n: 2 });
    expect(places((await second.store.searchItems(["memories"])).items)).toEqual(
      places(await store.search(["memories"])),
    );
    expect(await store.get(["memories"], "of a client")).toMatchObject({ value: { n: 2 } });
  });
});

test("a namespace in a query is joined by points, or a parameter a label", async () => {
  await first.store.putItem(["a", "b c", "ü"], "k", { n: 1 });
  for (const query of ["namespace=a.b%20c.%C3%BC", "namespace=a&namespace=b+c&namespace=%C3%BC"]) {
    const response = await fetch(at(`/store/items?${query}&key=k`));
    expect(await response.json()).toMatchObject({ value: { n: 1 }, namespace: ["a", "b c", "ü"] });
  }
  const missing = await fetch(at("/store/items?namespace=a&key=other"));
  expect([missing.status, await missing.json()]).toEqual([200, null]);
});

test("bodies may be empty or full of nulls where nothing is required", async () => {
  await first.store.putItem(["a"], "k", {});
  const nulls = { namespace_prefix: null, filter: null, limit: null, offset: null, query: null, refresh_ttl: null };
  for (const body of [{}, nulls]) {
    const response = await post(at("/store/items/search"), body);
    expect(await response.json()).toMatchObject({ items: [{ key: "k" }] });
  }
  const listed = await post(at("/store/namespaces"), { prefix: null, suffix: null, max_depth: null, limit: null });
  expect(await listed.json()).toEqual({ namespaces: [["a"]] });
});

describe("what is wrong is refused in a sentence, and nothing is stored", () => {
  const item = { namespace: ["a"], key: "k", value: {} };
  test.each([
    ["PUT", "/store/items", { ...item, namespace: [] }, 422, "body.namespace: must have a label"],
    ["PUT", "/store/items", { ...item, namespace: "a" }, 422, "body.namespace: must be a list"],
    ["PUT", "/store/items", { ...item, namespace: ["a", ""] }, 422, "body.namespace: must have no empty label"],
    ["PUT", "/store/items", { ...item, namespace: ["a.b"] }, 422, 'body.namespace: must have no label with a "."'],
    [
      "PUT",
      "/store/items",
      { ...item, namespace: ["langgraph"] },
      422,
      'body.namespace: must not begin with "langgraph"',
    ],
    [
      "PUT",
      "/store/items",
      { ...item, namespace: Array(1_000).fill("a") },
      422,
      "body.namespace: must have at most 32 labels",
    ],
    [
      "PUT",
      "/store/items",
      { ...item, namespace: ["a".repeat(2_000)] },
      422,
      "body.namespace: must have at most 1024 bytes",
    ],
    ["PUT", "/store/items", { ...item, namespace: [1] }, 422, "body.namespace.0: must be a string"],
    ["PUT", "/store/items", { ...item, key: "a\0b" }, 422, "body.key: must not hold the character NUL"],
    ["PUT", "/store/items", '{"namespace":["a"],"key":"\\ud800","value":{}}', 422, "body.key: must be valid Unicode"],
    ["PUT", "/store/items", { namespace: ["a"], value: {} }, 422, "body.key: is required"],
    ["PUT", "/store/items", { namespace: ["a"], key: "k" }, 422, "body.value: is required"],
    ["PUT", "/store/items", { ...item, value: [] }, 422, "body.value: must be an object"],
    ["PUT", "/store/items", { ...item, value: null }, 422, "body.value: must be an object"],
    ["PUT", "/store/items", { ...item, ttl: 0 }, 422, "body.ttl: must be more than 0"],
    ["PUT", "/store/items", { ...item, ttl: 1e300 }, 422, "body.ttl: must be at most 52560000"],
    ["PUT", "/store/items", { ...item, ttl: "1" }, 422, "body.ttl: must be a number"],
    ["PUT", "/store/items", { ...item, index: true }, 422, "body.index: must be false or a list of paths"],
    [
      "PUT",
      "/store/items",
      '{"namespace":["a"],"key":"k","value":{"a":[{"__proto__":{"admin":true}}]}}',
      422,
      "body.value: must not hold the key __proto__",
    ],
    [
      "PUT",
      "/store/items",
      `{"namespace":["a"],"key":"k","value":${"[".repeat(300)}${"]".repeat(300)}}`,
      422,
      "body: nested more than 200 deep",
    ],
    ["PUT", "/store/items", '{"namespace"', 422, "body: invalid JSON"],
    ["PUT", "/store/items", Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, "body: invalid UTF-8"],
    [
      "PUT",
      "/store/items",
      { ...item, value: { text: "x".repeat(9 * 1024 * 1024) } },
      413,
      "body: larger than the limit",
    ],
    ["DELETE", "/store/items", { namespace: [], key: "k" }, 422, "body.namespace: must have a label"],
    ["DELETE", "/store/items", { namespace: ["a"] }, 422, "body.key: is required"],
    [
      "POST",
      "/store/items/search",
      { namespace_prefix: ["a", ""] },
      422,
      "body.namespace_prefix: must have no empty label",
    ],
    ["POST", "/store/items/search", { filter: [] }, 422, "body.filter: must be an object"],
    ["POST", "/store/items/search", '{"filter":{"__proto__":1}}', 422, "body.filter: must not hold the key __proto__"],
    [
      "POST",
      "/store/items/search",
      { filter: { a: { $where: "1" } } },
      422,
      "filter: a has an operator that is none of",
    ],
    ["POST", "/store/items/search", { limit: 0 }, 422, "body.limit: must be at least 1"],
    [
      "POST",
      "/store/items/search",
      { limit: 1_001, offset: -1 },
      422,
      "body.limit: must be at most 1000; body.offset: must be at least 0",
    ],
    ["POST", "/store/namespaces", { max_depth: 0 }, 422, "body.max_depth: must be at least 1"],
    ["POST", "/store/namespaces", { prefix: ["a."] }, 422, 'body.prefix: must have no label with a "."'],
  ])("%s %s %j", async (method, path, body, status, sentence) => {
    const response = await send(method, path, body);
    expect([response.status, await detailOf(response)]).toEqual([status, expect.stringContaining(sentence)]);
    expect(await core.admin.dbsize()).toBe(0);
  });

  test.each([
    ["key=k", "query.namespace: is required"],
    ["namespace=a", "query.key: is required"],
    ["namespace=a..b&key=k", "query.namespace: must have no empty label"],
    ["namespace=&key=k", "query.namespace: must have no empty label"],
    ["namespace=a.b&namespace=c&key=k", 'query.namespace: must have no label with a "."'],
    ["namespace=a&key=k&refresh_ttl=maybe", "query.refresh_ttl: must be 0, 1, true or false"],
  ])("GET /store/items?%s", async (query, sentence) => {
    const response = await fetch(at(`/store/items?${query}`));
    expect([response.status, await detailOf(response)]).toEqual([422, expect.stringContaining(sentence)]);
  });

  test("a filter that would look at too many items", async () => {
    const items = itemsOn(core);
    await Promise.all(Array.from({ length: 1_001 }, (_, n) => items.put(["many"], String(n), { n })));
    const response = await post(at("/store/items/search"), { namespace_prefix: ["many"], filter: { n: -1 } });
    expect([response.status, await detailOf(response)]).toEqual([
      ...[422, expect.stringContaining("more than 1000 items")],
    ]);
  });

  test("a put when Redis is full", async () => {
    await core.admin.config("SET", "maxmemory", "1mb");
    try {
      const response = await send("PUT", "/store/items", item);
      expect([response.status, response.headers.has("retry-after")]).toEqual([503, true]);
    } finally {
      await core.admin.config("SET", "maxmemory", "0");
    }
    expect(await core.admin.dbsize()).toBe(0);
  });
});
