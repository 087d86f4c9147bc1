/** Assistants through two servers on one Redis, by the official SDK: what one is told the other knows at once. */
import { MessagesValue, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { Client } from "@langchain/langgraph-sdk";
import { v4 as uuid } from "uuid";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemAssistantId } from "../../app/graphs/assistants.js";
import { readSchemas } from "../../app/graphs/schemas.js";
import { AssistantShape } from "../../app/http/shapes.js";
import { connect, type Redis } from "../../app/redis/connect.js";
import { asApp } from "../support/acl.js";
import { type AssistantServer, startAssistants } from "../support/assistants.js";
import { silent } from "../support/core.js";
import { startRedis } from "../support/redis.js";
import { detailOf, ECHO_ID, post, type Started, startServer } from "./support.js";

const Depth = new StateSchema({ depth: z.number() });
const innermost = new StateGraph(Depth)
  .addNode("one", () => ({}))
  .addNode("two", () => ({}))
  .addEdge(START, "one")
  .addEdge("one", "two")
  .compile();
const inner = new StateGraph(Depth)
  .addNode("before", () => ({}))
  .addNode("innermost", innermost)
  .addEdge(START, "before")
  .addEdge("before", "innermost")
  .compile();
const echo = new StateGraph(
  new StateSchema({ messages: MessagesValue, depth: z.number() }),
  z.object({ tone: z.string() }),
)
  .addNode("reply", () => ({}))
  .addNode("inner", inner)
  .addEdge(START, "reply")
  .addEdge("reply", "inner")
  .compile();

let admin: Redis;
let cores: AssistantServer[];
let servers: Started[];
let first: Client;
let second: Client;
let url: string;
let stopRedis: () => Promise<void>;

beforeAll(async () => {
  const redis = await startRedis();
  stopRedis = () => redis.stop();
  admin = connect({ url: redis.url }, "worker", silent);
  const login = await asApp(redis.url);
  const describeGraph = await import("@langchain/langgraph/zod/schema");
  const graphs = { ids: ["echo"], get: async () => echo as never };
  const read = await readSchemas(graphs, { ...describeGraph });
  cores = await Promise.all([1, 2].map(() => startAssistants(login)));
  servers = await Promise.all(
    cores.map(({ redis, core, threads, assistants }) => {
      const schemas = { of: async (id: string) => (id === "writer" ? ("pending" as const) : read[id]) };
      return startServer({
        core: { redis, runs: core.runs, threads, assistants, schemas },
        graphs: { echo: echo as never },
      });
    }),
  );
  const clients = servers.map(
    (server) => new Client({ apiUrl: server.url, apiKey: null, callerOptions: { maxRetries: 0 } }),
  );
  [first, second] = clients as [Client, Client];
  url = servers[0]?.url ?? "";
});
afterAll(async () => {
  for (const server of servers) await server.close();
  for (const core of cores) core.stop();
  admin.disconnect();
  await stopRedis();
});

const send = (method: string, path: string, body?: unknown) =>
  fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });

describe("the assistants of graphs", () => {
  test("are found by their id and by their graph's", async () => {
    const assistant = AssistantShape.parse(await first.assistants.get("echo"));
    expect(assistant).toMatchObject({
      ...{ assistant_id: ECHO_ID, graph_id: "echo", name: "echo", version: 1, metadata: { created_by: "system" } },
      description: "the echo",
    });
    expect(await second.assistants.get(ECHO_ID.toUpperCase())).toEqual(assistant);
    const unknown = await fetch(`${url}/assistants/nobody`);
    expect([unknown.status, await detailOf(unknown)]).toEqual([404, "assistant nobody does not exist"]);
  });

  test("can be changed, but not deleted", async () => {
    await first.assistants.update("writer", { config: { configurable: { pace_ms: 1 } } });
    expect(await second.assistants.get(systemAssistantId("writer"))).toMatchObject({
      ...{ version: 2, name: "writer", config: { configurable: { pace_ms: 1 } }, metadata: { created_by: "system" } },
    });
    const { thread_id } = await second.threads.create();
    const run = await second.runs.create(thread_id, "writer", { input: {} });
    expect(run).toMatchObject({ kwargs: { config: { configurable: { pace_ms: 1 } } } });
    const refused = await send("DELETE", "/assistants/writer");
    expect([refused.status, await detailOf(refused)]).toEqual([
      409,
      "assistant writer belongs to a graph of langgraph.json and stays with it",
    ]);
    await first.assistants.setLatest("writer", 1);
  });
});

describe("an assistant of one's own", () => {
  test("is there for every server as soon as it is made", async () => {
    const given = {
      ...{ graphId: "echo", name: "Mine", description: "my own", metadata: { team: "blue", list: [] } },
      ...{ config: { tags: ["t"], recursion_limit: 9, configurable: { tone: "low" } }, context: { tone: "high" } },
    };
    const made = AssistantShape.parse(await first.assistants.create(given));
    const { graphId, ...same } = given;
    expect(made).toMatchObject({ ...same, graph_id: graphId, version: 1 });
    expect(made.updated_at).toBe(made.created_at);
    expect(await second.assistants.get(made.assistant_id)).toEqual(made);
    expect(await second.assistants.search({ metadata: { team: "blue" } })).toEqual([made]);
    const untitled = await second.assistants.create({ graphId: "echo", assistantId: uuid() });
    expect(untitled).toMatchObject({ name: "Untitled", description: null, config: {}, context: {}, metadata: {} });
  });

  test("is made once for an id", async () => {
    const assistantId = uuid();
    const made = await first.assistants.create({ graphId: "echo", assistantId, name: "First" });
    const again = { graphId: "echo", assistantId: assistantId.toUpperCase(), name: "Second" };
    await expect(second.assistants.create(again)).rejects.toThrow(/409.*exists; send if_exists/);
    expect(await second.assistants.create({ ...again, ifExists: "do_nothing" })).toEqual(made);
  });

  test("has its runs with its defaults, unless they say otherwise, in the version in use", async () => {
    const { assistant_id } = await first.assistants.create({
      graphId: "echo",
      config: { recursion_limit: 9, configurable: { tone: "low", speed: 1, langgraph_auth_user: "nobody" } },
      context: { tone: "high" },
    });
    const { thread_id } = await second.threads.create();
    const start = async (payload: object = {}) => {
      const run = await second.runs.create(thread_id, assistant_id, {
        input: {},
        multitaskStrategy: "enqueue",
        ...payload,
      });
      return (run as unknown as { kwargs: { config: { configurable: Record<string, unknown> } } }).kwargs.config;
    };
    const config = await start({ config: { configurable: { speed: 2 } } });
    expect(config).toMatchObject({
      recursion_limit: 9,
      configurable: { tone: "low", speed: 2, assistant_id, graph_id: "echo" },
    });
    expect(config.configurable).not.toHaveProperty("langgraph_auth_user");
    await first.assistants.update(assistant_id, { config: { configurable: { tone: "loud" } } });
    expect((await start()).configurable).toMatchObject({ tone: "loud" });
    await first.assistants.setLatest(assistant_id, 1);
    expect((await start()).configurable).toMatchObject({ tone: "low" });
    expect(await second.runs.list(thread_id)).toMatchObject(Array(3).fill({ assistant_id }));
  });

  test("gets a version with each change, and any of them can be used again", async () => {
    const { assistant_id: id } = await first.assistants.create({
      ...{ graphId: "echo", name: "One", metadata: { a: 1, b: { c: 1 } }, config: { tags: ["x"] } },
    });
    const second2 = await second.assistants.update(id, {
      name: "Two",
      metadata: { b: {}, stage: "test" },
      context: { tone: "t" },
    });
    expect(second2).toMatchObject({
      ...{
        version: 2,
        name: "Two",
        metadata: { a: 1, b: {}, stage: "test" },
        config: { tags: ["x"] },
        context: { tone: "t" },
      },
    });
    expect(await first.assistants.update(id, {})).toMatchObject({ version: 3, name: "Two" });
    expect(await first.assistants.update(id, { graphId: "writer" })).toMatchObject({ version: 4, graph_id: "writer" });
    expect(await second.assistants.search({ graphId: "writer", metadata: { stage: "test" } })).toHaveLength(1);

    const numbers = async (query?: object) =>
      (await second.assistants.getVersions(id, query)).map(({ version }) => version);
    expect(await numbers()).toEqual([4, 3, 2, 1]);
    expect(await numbers({ limit: 2, offset: 1 })).toEqual([3, 2]);
    expect(await numbers({ metadata: { stage: "test" }, offset: 1 })).toEqual([3, 2]);
    expect(await numbers({ metadata: { stage: "none" } })).toEqual([]);

    const back = await second.assistants.setLatest(id, 1);
    expect(back).toMatchObject({ version: 1, name: "One", graph_id: "echo", metadata: { a: 1, b: { c: 1 } } });
    expect(await first.assistants.get(id)).toEqual(back);
    // The platform's document names the query.
    expect(await (await send("POST", `/assistants/${id}/latest?version=2`, {})).json()).toMatchObject({ version: 2 });
    // The next one is numbered after all that were.
    expect(await first.assistants.update(id, { name: "Five" })).toMatchObject({
      version: 5,
      name: "Five",
      context: { tone: "t" },
    });
  });

  test("goes with all that is of it", async () => {
    const { thread_id } = await second.threads.create();
    const before = (await admin.keys("*")).sort();
    const { assistant_id: id } = await first.assistants.create({ graphId: "echo", metadata: { gone: true } });
    await second.assistants.update(id, { name: "Other" });
    await first.assistants.delete(id);
    await expect(second.assistants.get(id)).rejects.toThrow(/404/);
    await expect(second.assistants.getVersions(id)).rejects.toThrow(/404/);
    expect((await send("DELETE", `/assistants/${id}`)).status).toBe(404);
    await expect(second.runs.create(thread_id, id, { input: {} })).rejects.toThrow(/404/);
    expect((await admin.keys("*")).sort()).toEqual(before);
  });
});

describe("a search", () => {
  test("finds, sorts, selects and counts, and tells of the next page", async () => {
    for (const name of ["Search C", "Search a", "Search B"])
      await first.assistants.create({ graphId: "echo", name, metadata: { search: true } });
    const names = async (query: object) => (await second.assistants.search(query)).map(({ name }) => name);
    const metadata = { search: true };
    expect(await names({ metadata, sortBy: "name", sortOrder: "asc" })).toEqual(["Search B", "Search C", "Search a"]);
    expect(await names({ metadata, sortBy: "created_at", sortOrder: "asc" })).toEqual([
      "Search C",
      "Search a",
      "Search B",
    ]);
    expect(await names({ metadata })).toEqual(["Search B", "Search a", "Search C"]);
    expect(await names({ name: "cH b" })).toEqual(["Search B"]);
    expect(await names({ graphId: "none" })).toEqual([]);
    expect(await second.assistants.count({ metadata })).toBe(3);
    expect(await second.assistants.count({ name: "search" })).toBe(3);
    expect(await second.assistants.count({ metadata: { created_by: "system" } })).toBe(2);

    const page = { metadata, limit: 2, sortBy: "name", sortOrder: "asc" } as const;
    expect(await first.assistants.search({ ...page, includePagination: true })).toMatchObject({
      ...{ assistants: [{ name: "Search B" }, { name: "Search C" }], next: "2" },
    });
    const body = { metadata, limit: 2, offset: 2, sort_by: "name", sort_order: "asc", select: ["name", "graph_id"] };
    const last = await post(`${url}/assistants/search`, body);
    expect(await last.json()).toEqual([{ name: "Search a", graph_id: "echo" }]);
    expect(last.headers.get("x-pagination-total")).toBe("3");
    expect(last.headers.has("x-pagination-next")).toBe(false);
  });
});

describe("its graph", () => {
  test("is drawn, with subgraphs where asked for", async () => {
    const nodes = async (xray?: boolean | number) =>
      (await first.assistants.getGraph("echo", xray === undefined ? {} : { xray })).nodes.map(({ id }) => id);
    expect(await nodes()).toEqual(["__start__", "reply", "inner", "__end__"]);
    expect(await nodes(true)).toEqual(expect.arrayContaining(["inner:before", "inner:innermost:two"]));
    expect(await nodes(1)).toEqual(expect.arrayContaining(["inner:before", "inner:innermost"]));
    const { edges } = await first.assistants.getGraph("echo");
    expect(edges).toContainEqual(expect.objectContaining({ source: "reply", target: "inner" }));
  });

  test("tells its schemas, and those of its subgraphs", async () => {
    const { assistant_id } = await first.assistants.create({ graphId: "echo" });
    const schemas = await second.assistants.getSchemas(assistant_id);
    expect(schemas).toMatchObject({
      graph_id: "echo",
      input_schema: {
        type: "object",
        properties: { depth: { type: "number" }, messages: { langgraph_type: "messages" } },
      },
      state_schema: { type: "object", properties: { depth: { type: "number" } } },
      output_schema: { properties: { depth: { type: "number" } } },
      context_schema: { properties: { tone: { type: "string" } } },
      config_schema: { properties: { tone: { type: "string" } } },
    });
    const namespaces = async (query?: object) => Object.keys(await second.assistants.getSubgraphs("echo", query));
    expect(await namespaces()).toEqual(["inner"]);
    expect(await namespaces({ recurse: true })).toEqual(["inner", "inner|innermost"]);
    expect(await namespaces({ namespace: "inner" })).toEqual(["inner"]);
    const within = await send("GET", "/assistants/echo/subgraphs/inner%7Cinnermost?recurse=1");
    expect(await within.json()).toMatchObject({ "inner|innermost": { state_schema: { type: "object" } } });
    const unknown = await send("GET", "/assistants/echo/subgraphs/none");
    expect([unknown.status, await detailOf(unknown)]).toEqual([404, "subgraph none of graph echo does not exist"]);
  });

  test("asks to come again while the schemas are being read", async () => {
    const early = await send("GET", "/assistants/writer/schemas");
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(await detailOf(early)).toMatch(/being read/);
  });
});

describe("what is refused", () => {
  const id = uuid();
  test.each([
    ["POST", "/assistants", {}, 422, /^body\.graph_id: is required$/],
    ["POST", "/assistants", { graph_id: "none" }, 404, /^graph none does not exist$/],
    ["POST", "/assistants", { graph_id: "echo", assistant_id: "../1" }, 422, /^body\.assistant_id: must be a uuid$/],
    ["POST", "/assistants", { graph_id: "echo", if_exists: "maybe" }, 422, /must be one of raise, do_nothing/],
    ["POST", "/assistants", { graph_id: "echo", metadata: [] }, 422, /^body\.metadata: must be an object$/],
    ["POST", "/assistants", { graph_id: "echo", config: { recursion_limit: 0 } }, 422, /must be at least 1/],
    ["POST", "/assistants", { graph_id: "echo", metadata: many(501) }, 422, /at most 500 keys/],
    [
      "POST",
      "/assistants/search",
      { limit: 0, sort_by: "age", select: ["age"] },
      422,
      /body\.limit.*body\.sort_by.*select\.0/,
    ],
    ["POST", "/assistants/count", { name: 7 }, 422, /^body\.name: must be a string$/],
    ["GET", `/assistants/${id}`, undefined, 404, /does not exist/],
    ["GET", "/assistants/..%2F..%2Fx", undefined, 404, /does not exist/],
    ["PATCH", `/assistants/${id}`, { name: "x" }, 404, /does not exist/],
    ["PATCH", "/assistants/echo", { graph_id: "none" }, 404, /^graph none does not exist$/],
    ["PATCH", "/assistants/echo", { name: "" }, 422, /must not be empty/],
    ["DELETE", `/assistants/${id}?delete_threads=perhaps`, undefined, 422, /must be 0, 1, true or false/],
    ["DELETE", "/assistants/__proto__", undefined, 404, /does not exist/],
    ["POST", "/assistants/echo/versions", { limit: 0 }, 422, /at least 1/],
    ["POST", `/assistants/${id}/versions`, {}, 404, /does not exist/],
    ["POST", "/assistants/echo/latest", {}, 422, /^body\.version: is required$/],
    ["POST", "/assistants/echo/latest", { version: 99 }, 404, /^version 99 of assistant echo does not exist$/],
    ["POST", "/assistants/echo/latest", { version: "1" }, 422, /must be a number/],
    ["GET", "/assistants/echo/graph?xray=-1", undefined, 422, /^query\.xray: must be true, false, or how many/],
    ["GET", `/assistants/${id}/graph`, undefined, 404, /does not exist/],
    ["GET", `/assistants/${id}/schemas`, undefined, 404, /does not exist/],
    ["GET", "/assistants/echo/subgraphs?recurse=2", undefined, 422, /must be 0, 1, true or false/],
  ])("%s %s %j: %i", async (method, path, body, status, detail) => {
    const before = await stored();
    const answer = await send(method, path, body);
    expect([answer.status, await detailOf(answer)]).toEqual([status, expect.stringMatching(detail)]);
    expect(await stored()).toEqual(before);
  });

  test("keys that mean something to JavaScript are kept as any other", async () => {
    const body = `{"graph_id": "echo", "metadata": {"__proto__": {"admin": true}, "constructor": 1}}`;
    const made = (await (await post(`${url}/assistants`, body)).json()) as { assistant_id: string };
    const found = await post(`${url}/assistants/search`, `{"metadata": {"constructor": 1}}`);
    expect(await found.json()).toHaveLength(1);
    expect(await (await post(`${url}/assistants/search`, { metadata: { toString: {} } })).json()).toEqual([]);
    await first.assistants.delete(made.assistant_id);
  });
});

function many(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, index]));
}

/** All keys, and what the assistants hold. */
async function stored(): Promise<unknown[]> {
  const keys = (await admin.keys("*")).sort();
  return [keys, await Promise.all(keys.filter((key) => key.includes(":assistant:")).map((key) => admin.hgetall(key)))];
}
