import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRedis } from "../support/redis.js";
import { type Topology, topology } from "../support/topology.js";

let all: Topology;
let admin: Redis;
beforeAll(async () => {
  const redis = await startRedis();
  all = await topology({ redis, environment: { TRUNCATE_ROUTE: "true" } });
  admin = new Redis(redis.url);
});
afterAll(async () => {
  admin.disconnect();
  await all.stop();
});

const truncate = (url: string, body: object = {}) =>
  fetch(`${url}/internal/truncate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const input = { messages: [{ role: "user", content: "a long story" }] };

test("what tests have left is gone, who follows a run is told, and what comes after works", async () => {
  const { client, url } = all.servers[0] ?? expect.fail("a topology has a server");
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "echo", { input });
  await client.runs.wait(null, "echo", { input });
  const { assistant_id } = await client.assistants.create({ graphId: "echo", name: "Mine" });
  await client.store.putItem(["notes"], "a", { text: "…" });

  const stream = client.runs.stream(thread_id, "writer", { input });
  expect((await stream.next()).value).toMatchObject({ event: "metadata" });
  const answer = await truncate(url);
  expect([answer.status, await answer.json()]).toEqual([200, { ok: true }]);
  // It ends, where one that nobody told would wait for ever.
  for await (const _event of stream);

  await expect(client.threads.get(thread_id)).rejects.toThrow("404");
  await expect(client.assistants.get(assistant_id)).rejects.toThrow("404");
  expect(await client.store.getItem(["notes"], "a")).toBeNull();
  await expect.poll(() => client.threads.search()).toEqual([]);
  const gone = ["thread", "run", "runs", "events", "history", "checkpoints", "checkpoint", "blobs", "store", "request"];
  const kinds = async () => new Set((await admin.keys("*")).map((key) => key.split(":")[2] ?? ""));
  await expect.poll(async () => [...(await kinds())].filter((kind) => gone.includes(kind))).toEqual([]);

  const again = await client.threads.create();
  expect(await client.runs.wait(again.thread_id, "echo", { input })).toMatchObject({ messages: [{}, {}] });
});

test("only what is named goes, and a graph's own assistant never does", async () => {
  const { client, url } = all.servers[0] ?? expect.fail("a topology has a server");
  const { thread_id } = await client.threads.create();
  await client.store.putItem(["notes"], "a", { text: "…" });
  await truncate(url, { store: true, assistants: true, threads: false });
  expect(await client.store.getItem(["notes"], "a")).toBeNull();
  expect(await client.threads.get(thread_id)).toMatchObject({ status: "idle" });
  expect(await client.assistants.search({ graphId: "echo" })).toHaveLength(1);
  await truncate(url, { runs: true });
  await expect(client.threads.get(thread_id)).rejects.toThrow("404");
  expect((await truncate(url, { store: "yes" })).status).toBe(422);
});

test("a server that was not told to has no such route, nor a word of it", async () => {
  const { url } = await all.startServer({ TRUNCATE_ROUTE: "false" });
  expect((await truncate(url)).status).toBe(404);
  expect(await (await fetch(`${url}/openapi.json`)).text()).not.toContain("truncate");
});
