/** A project as LangGraph's images carry it: no langgraph.json, all in variables; and the API below a prefix. */
import { fileURLToPath } from "node:url";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collectChunks } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

const folder = fileURLToPath(new URL("../support/projects/steps/", import.meta.url));

let all: Topology;
let client: Client;
beforeAll(async () => {
  all = await topology({
    config: `${folder}no-langgraph.json`,
    environment: {
      LANGSERVE_GRAPHS: JSON.stringify({ steps: "./steps.mjs:steps", deaf: `${folder}steps.mjs:deaf` }),
      LANGGRAPH_CHECKPOINTER: JSON.stringify({ ttl: { strategy: "keep_latest", default_ttl: 60 } }),
      LANGGRAPH_HTTP: JSON.stringify({ disable_store: true, mount_prefix: "/elsewhere" }),
      LANGGRAPH_CONFIG: JSON.stringify({ steps: { recursion_limit: 5 } }),
      MOUNT_PREFIX: "/api",
      LOG_LEVEL: "INFO",
    },
  });
  client = new Client({ apiUrl: `${all.url}/api` });
}, 60_000);
afterAll(() => all.stop());

test("the SDK works below the prefix, and joins a run there", async () => {
  expect((await fetch(`${all.url}/ok`)).status).toBe(200);
  const { thread_id } = await client.threads.create();
  const found = await fetch(`${all.url}/api/threads/${thread_id}?include=ttl`);
  expect(await found.json()).toMatchObject({ ttl: { strategy: "keep_latest", ttl_minutes: 60 } });
  const run = await client.runs.create(thread_id, "deaf", { input: { pace_ms: 1 }, streamResumable: true });
  const chunks = await collectChunks(client.runs.joinStream(thread_id, run.run_id, { lastEventId: "-1" }));
  expect(chunks.at(-1)).toMatchObject({ event: "end" });
  expect(await client.runs.join(thread_id, run.run_id)).toMatchObject({ steps: ["done"] });
  await expect(client.store.putItem(["a"], "b", {})).rejects.toThrow("does not exist");
});

test("a graph has the config that a variable gives it, unless the request has its own", async () => {
  const run = async (config?: { recursion_limit: number }) =>
    await client.runs.wait(null, "steps", { input: { pace_ms: 1 }, ...(config && { config }), raiseError: false });
  expect(await run()).toMatchObject({ __error__: { error: "GraphRecursionError" } });
  expect(await run({ recursion_limit: 25 })).toMatchObject({ steps: { length: 10 } });
});
