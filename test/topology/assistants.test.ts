/** Assistants on a topology of real processes: made on one server, used through another, executed by a worker. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

let all: Topology;
beforeAll(async () => {
  all = await topology({ servers: 2, workers: 1 });
}, 60_000);
afterAll(() => all.stop());

const clients = () => all.servers.map(({ client }) => client);

test("the worker runs the graph with the defaults of the version in use", async () => {
  const [first, second] = clients();
  if (!first || !second) throw new Error("two servers were started");
  const made = await first.assistants.create({ graphId: "writer", config: { configurable: { pace_ms: -1 } } });
  const wait = () => second.runs.wait(null, made.assistant_id, { input: ask("trains"), raiseError: false });
  expect(await wait()).toMatchObject({ __error__: { message: expect.stringMatching(/pace_ms/) } });
  await first.assistants.update(made.assistant_id, { config: { configurable: { pace_ms: 0 } } });
  expect(await wait()).toMatchObject({ messages: [{}, { content: expect.stringMatching(/trains/) }] });

  const { thread_id } = await second.threads.create();
  await first.runs.wait(thread_id, made.assistant_id, { input: ask("threads") });
  expect((await first.threads.get(thread_id)).metadata).toMatchObject({ assistant_id: made.assistant_id });
  await second.assistants.delete(made.assistant_id);
  await expect(first.runs.wait(thread_id, made.assistant_id, { input: ask("more") })).rejects.toThrow(/404/);
});

test("deleting one ends a run that is under way", async () => {
  const [first, second] = clients();
  if (!first || !second) throw new Error("two servers were started");
  const made = await first.assistants.create({ graphId: "writer", config: { configurable: { pace_ms: 10_000 } } });
  const { thread_id } = await first.threads.create();
  const run = await first.runs.create(thread_id, made.assistant_id, { input: ask("a long story") });
  await expect.poll(async () => (await first.runs.get(thread_id, run.run_id)).status).toBe("running");
  await second.assistants.delete(made.assistant_id);
  await first.runs.join(thread_id, run.run_id);
  expect((await first.runs.get(thread_id, run.run_id)).status).toBe("interrupted");
});

test("every server tells the schemas and the graph of a bundled agent", async () => {
  for (const client of clients()) {
    const { input_schema, state_schema } = await client.assistants.getSchemas("research");
    expect(input_schema).toMatchObject({ type: "object", properties: { messages: { langgraph_type: "messages" } } });
    expect(state_schema).toMatchObject({ properties: { notes: {}, queries: {} } });
    const { nodes, edges } = await client.assistants.getGraph("research", { xray: true });
    expect(nodes.length).toBeGreaterThan(3);
    expect(edges.length).toBeGreaterThan(3);
  }
});
