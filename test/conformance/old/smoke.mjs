/**
 * What every version of the JavaScript SDK can do, and what this one can. It is copied beside the node_modules of the
 * version. A line of JSON a case.
 */
import assert from "node:assert/strict";
import { Client } from "@langchain/langgraph-sdk";

const client = new Client({ apiUrl: process.env.API_URL });
const done = (topic) => ({ topic, items: ["first", "second"] });
const newThread = async () => (await client.threads.create()).thread_id;

const cases = {
  async "assistants.search, get"() {
    const found = await client.assistants.search({ metadata: { created_by: "system" }, limit: 20 });
    const { assistant_id } = found.find(({ graph_id }) => graph_id === "steps");
    const { graph_id, version, metadata } = await client.assistants.get(assistant_id);
    assert.deepEqual(
      { graph_id, version, metadata },
      { graph_id: "steps", version: 1, metadata: { created_by: "system" } },
    );
  },
  async "threads.create, get, delete"() {
    const { thread_id, status, metadata } = await client.threads.create({ metadata: { a: 1 } });
    assert.deepEqual({ status, metadata }, { status: "idle", metadata: { a: 1 } });
    assert.equal((await client.threads.get(thread_id)).thread_id, thread_id);
    await client.threads.delete(thread_id);
    await assert.rejects(client.threads.get(thread_id), /404/);
  },
  async "runs.wait"() {
    assert.deepEqual(await client.runs.wait(await newThread(), "steps", { input: { topic: "a" } }), done("a"));
  },
  async "runs.stream"() {
    const events = [];
    const options = { input: { topic: "a" }, streamMode: ["values", "updates"] };
    // The decoders of old versions also hand on what is no event: an id alone, or the blank line after a heartbeat.
    for await (const event of client.runs.stream(await newThread(), "steps", options))
      if (event.data !== null) events.push(event);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["metadata", "values", "updates", "values", "updates", "values"],
    );
    assert.deepEqual(events.findLast(({ event }) => event === "values").data, done("a"));
  },
  async "runs.create, join, get, list, cancel"() {
    const thread = await newThread();
    const { run_id, status } = await client.runs.create(thread, "steps", { input: { topic: "a" } });
    assert.equal(status, "pending");
    await client.runs.join(thread, run_id);
    assert.equal((await client.runs.get(thread, run_id)).status, "success");
    const slow = await client.runs.create(thread, "ticks", { input: { count: 1, pace_ms: 60_000 } });
    await client.runs.cancel(thread, slow.run_id, true);
    assert.deepEqual(
      (await client.runs.list(thread)).map((run) => run.status),
      ["interrupted", "success"],
    );
  },
  async "threads.getState, getHistory, updateState, search"() {
    const thread = await newThread();
    await client.runs.wait(thread, "steps", { input: { topic: "a" } });
    const { values, next } = await client.threads.getState(thread);
    assert.deepEqual({ values, next }, { values: done("a"), next: [] });
    assert.equal((await client.threads.getHistory(thread)).length, 4);
    await client.threads.updateState(thread, { values: { topic: "b" }, asNode: "second" });
    assert.equal((await client.threads.getState(thread)).values.topic, "b");
    const found = await client.threads.search({ limit: 50 });
    assert.ok(found.some(({ thread_id }) => thread_id === thread));
  },
  async "store.putItem, getItem, searchItems"() {
    if (!client.store) return;
    await client.store.putItem(["old", "js"], "k", { a: [] });
    assert.deepEqual((await client.store.getItem(["old", "js"], "k")).value, { a: [] });
    assert.deepEqual((await client.store.searchItems(["old", "js"])).items[0].value, { a: [] });
  },
};

for (const [name, run] of Object.entries(cases)) {
  const error = await run().then(
    () => undefined,
    (reason) => String(reason?.message ?? reason),
  );
  process.stdout.write(`${JSON.stringify({ case: name, error })}\n`);
}
