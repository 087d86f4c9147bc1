import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { registerAssistants } from "../../app/data/assistants.js";
import { systemAssistantId } from "../../app/graphs/assistants.js";
import { AssistantShape } from "../../app/http/shapes.js";
import { connect, type Redis, ready } from "../../app/redis/connect.js";
import { Keys } from "../../app/redis/partitions.js";
import { createLog } from "../../app/telemetry/log.js";
import { asApp } from "../support/acl.js";
import { startRedis } from "../support/redis.js";
import { detailOf, ECHO_ID, post, type Started, startServer } from "./support.js";

let at: Started;
let client: Client;
beforeAll(async () => {
  at = await startServer();
  client = new Client({ apiUrl: at.url, apiKey: null });
});
afterAll(() => at.close());

describe("system assistants", () => {
  test("are found by their id and by their graph's", async () => {
    const assistant = AssistantShape.parse(await client.assistants.get("echo"));
    expect(assistant).toMatchObject({
      ...{ assistant_id: ECHO_ID, graph_id: "echo", name: "echo", version: 1, metadata: { created_by: "system" } },
    });
    expect(await client.assistants.get(ECHO_ID.toUpperCase())).toEqual(assistant);
    const unknown = await fetch(`${at.url}/assistants/nobody`);
    expect([unknown.status, await detailOf(unknown)]).toEqual([404, "assistant nobody does not exist"]);
  });

  test("are searched and counted by graph, part of the name, and metadata", async () => {
    const found = async (query: object) => (await client.assistants.search(query)).map(({ graph_id }) => graph_id);
    expect(await found({ sortBy: "name", sortOrder: "asc" })).toEqual(["echo", "writer"]);
    expect(await found({ sortBy: "name", sortOrder: "desc" })).toEqual(["writer", "echo"]);
    expect(await found({ graphId: "echo" })).toEqual(["echo"]);
    expect(await found({ name: "WRIT" })).toEqual(["writer"]);
    expect(await found({ metadata: { created_by: "system" } })).toHaveLength(2);
    expect(await found({ metadata: { created_by: "user" } })).toEqual([]);
    expect(await client.assistants.count({ metadata: { created_by: "system" } })).toBe(2);
    expect(await client.assistants.count({ graphId: "none" })).toBe(0);
  });

  test("come in pages that tell of the next, with the fields asked for", async () => {
    const page = await client.assistants.search({
      limit: 1,
      sortBy: "name",
      sortOrder: "asc",
      includePagination: true,
    });
    expect(page).toMatchObject({ assistants: [{ name: "echo" }], next: "1" });
    const body = { limit: 1, offset: 1, sort_by: "name", sort_order: "asc", select: ["name", "graph_id"] };
    const last = await post(`${at.url}/assistants/search`, body);
    expect(await last.json()).toEqual([{ name: "writer", graph_id: "writer" }]);
    expect(last.headers.get("x-pagination-total")).toBe("2");
    expect(last.headers.has("x-pagination-next")).toBe(false);

    const wrong = await post(`${at.url}/assistants/search`, { limit: 0, sort_by: "age", select: ["age"] });
    expect(wrong.status).toBe(422);
    expect(await detailOf(wrong)).toMatch(/^body\.limit: .*; body\.sort_by: .*; body\.select\.0: must be one of/);
  });
});

describe("their registration", () => {
  let stop: () => Promise<void>;
  const servers: Redis[] = [];
  beforeAll(async () => {
    const redis = await startRedis();
    const url = await asApp(redis.url);
    servers.push(
      ...["a", "b"].map((name) => connect({ url }, "request", createLog("silent", { instance: name, role: "server" }))),
    );
    await Promise.all(servers.map((server) => ready(server, 5_000)));
    stop = async () => {
      for (const server of servers) server.disconnect();
      await redis.stop();
    };
  });
  afterAll(() => stop());

  test("gives every server the same time of creation, however often it starts", async () => {
    const systems = ["echo", "writer"].map((graphId) => ({
      ...{ graphId, assistantId: systemAssistantId(graphId), description: `the ${graphId}` },
    }));
    const times: number[][] = [];
    for (const server of [...servers, ...servers]) {
      const assistants = await registerAssistants(server, new Keys("sw"), systems);
      times.push(assistants.find({}).map(({ createdAt }) => createdAt.getTime()));
      expect(assistants.get("echo")).toMatchObject({ assistantId: ECHO_ID, description: "the echo" });
    }
    for (const time of times) expect(time).toEqual(times[0]);
    expect(times[0]?.[0]).toBeGreaterThan(Date.now() - 60_000);
  });
});
