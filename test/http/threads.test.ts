import { randomUUID } from "node:crypto";
import { Writable } from "node:stream";
import { Annotation, END, interrupt, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { Client } from "@langchain/langgraph-sdk";
import pino from "pino";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { Graph } from "../../app/graphs/load.js";
import { ThreadShape, ThreadStateShape } from "../../app/http/shapes.js";
import { detailOf, post, type Started, startServer } from "./support.js";

const State = Annotation.Root({ steps: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }) });

const inner = new StateGraph(State)
  .addNode("ask", () => ({ steps: [String(interrupt({ question: "go on?" }))] }))
  .addEdge(START, "ask")
  .addEdge("ask", END)
  .compile();

/** Stops in a subgraph to ask. */
const asking = new StateGraph(State)
  .addNode("first", () => ({ steps: ["first"] }))
  .addNode("inner", inner)
  .addEdge(START, "first")
  .addEdge("first", "inner")
  .addEdge("inner", END);

const saver = new MemorySaver();
let at: Started;
let client: Client;
beforeAll(async () => {
  at = await startServer({ graphs: { asking: asking.compile() as unknown as Graph }, checkpointer: saver });
  client = new Client({ apiUrl: at.url, apiKey: null });
});
afterAll(() => at.close());

/** A thread whose run has stopped at its question. */
async function askedThread(): Promise<string> {
  const { thread_id } = await client.threads.create({ graphId: "asking" });
  const graph = asking.compile({ checkpointer: saver });
  await graph.invoke({ steps: ["start"] }, { configurable: { thread_id } });
  return thread_id;
}

describe("threads", () => {
  test("are created with metadata, and found again", async () => {
    const threadId = randomUUID();
    const made = await post(`${at.url}/threads`, { thread_id: threadId, metadata: { team: "red" } });
    const thread = ThreadShape.parse(await made.json());
    expect(thread).toMatchObject({
      ...{ thread_id: threadId, metadata: { team: "red" }, status: "idle", values: null, interrupts: {}, config: {} },
    });
    expect(await client.threads.get(threadId.toUpperCase())).toEqual(thread);
  });

  test("are created once: again is 409, or the same thread when asked so", async () => {
    const threadId = randomUUID();
    await client.threads.create({ threadId, metadata: { n: 1 } });
    const again = await post(`${at.url}/threads`, { thread_id: threadId });
    expect([again.status, await detailOf(again)]).toEqual([409, expect.stringContaining(threadId)]);
    const same = await client.threads.create({ threadId, ifExists: "do_nothing", metadata: { n: 2 } });
    expect(same.metadata).toEqual({ n: 1 });
  });

  test.each([
    ["an id that is none", { thread_id: "t1" }, /^body\.thread_id: must be a uuid/],
    ["an unknown if_exists", { if_exists: "replace" }, /^body\.if_exists: must be one of raise, do_nothing/],
    ["a ttl of nothing", { ttl: { strategy: "delete", ttl: 0 } }, /^body\.ttl\.ttl: must be more than 0/],
    ["an endless ttl", { ttl: { ttl: 1e9 } }, /^body\.ttl\.ttl: must be at most 5256000/],
    ["a ttl in words", { ttl: { ttl: "soon" } }, /^body\.ttl\.ttl: must be a number/],
    [
      "an unknown strategy",
      { ttl: { strategy: "archive", ttl: 5 } },
      /^body\.ttl\.strategy: must be one of delete, keep/,
    ],
    ["supersteps of nothing", { supersteps: [{ updates: [] }] }, /^body\.supersteps\.0\.updates: must not be empty/],
    ["metadata that is none", { metadata: "red" }, /^body\.metadata: must be an object/],
  ])("are refused with %s", async (_name, body, detail) => {
    const response = await post(`${at.url}/threads`, body);
    expect([response.status, await detailOf(response)]).toEqual([422, expect.stringMatching(detail)]);
  });

  test("tell their ttl to those who ask", async () => {
    const made = await post(`${at.url}/threads`, { ttl: { ttl: 0.5, strategy: "keep_latest" } });
    const { thread_id, updated_at } = ThreadShape.parse(await made.json());
    const shown = ThreadShape.parse(await (await fetch(`${at.url}/threads/${thread_id}?include=ttl`)).json());
    const expires_at = new Date(Date.parse(updated_at) + 30_000).toISOString();
    expect(shown.ttl).toEqual({ strategy: "keep_latest", ttl_minutes: 0.5, expires_at });
    expect(await client.threads.get(thread_id)).not.toHaveProperty("ttl");
    const plain = await client.threads.create({ ttl: 10 });
    expect(await client.threads.get(plain.thread_id, { include: ["ttl"] })).toMatchObject({
      ttl: { strategy: "delete" },
    });
    const wrong = await fetch(`${at.url}/threads/${thread_id}?include=runs`);
    expect([wrong.status, await detailOf(wrong)]).toEqual([422, "query.include: must be ttl"]);
  });

  test("are deleted, once", async () => {
    const { thread_id } = await client.threads.create();
    expect((await fetch(`${at.url}/threads/${thread_id}`, { method: "DELETE" })).status).toBe(204);
    const again = await fetch(`${at.url}/threads/${thread_id}`, { method: "DELETE" });
    expect([again.status, await detailOf(again)]).toEqual([404, `thread ${thread_id} does not exist`]);
  });

  test("that are unknown are 404 with their id, whatever is asked of them", async () => {
    const id = randomUUID();
    const answers = [
      await fetch(`${at.url}/threads/${id}`),
      await fetch(`${at.url}/threads/${id}/state`),
      await fetch(`${at.url}/threads/${id}/state/c1`),
      await post(`${at.url}/threads/${id}/state/checkpoint`, { checkpoint: {} }),
      await fetch(`${at.url}/threads/${id}/history`),
      await post(`${at.url}/threads/${id}/history`),
    ];
    for (const answer of answers)
      expect([answer.status, await detailOf(answer)]).toEqual([404, `thread ${id} does not exist`]);
  });
});

test("a thread whose state this server can't read is shown as it was, and the log says so", async () => {
  const lines: string[] = [];
  const sink = new Writable({ write: (line, _encoding, done) => done(lines.push(String(line)) ? undefined : null) });
  const other = await startServer({ log: pino(sink) });
  onTestFinished(() => other.close());
  const { thread } = await other.threads.create({ threadId: randomUUID(), metadata: { graph_id: "gone" } });
  thread.stale = { seq: "1" };
  const shown = await fetch(`${other.url}/threads/${thread.threadId}`);
  expect([shown.status, await shown.json()]).toMatchObject([200, { values: null }]);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event: "state_unreadable", level: 40, threadId: thread.threadId, reason: "HttpError" },
  ]);
});

describe("the state of a thread", () => {
  test("without runs is empty", async () => {
    const { thread_id: fresh } = await client.threads.create();
    const { thread_id: named } = await client.threads.create({ graphId: "asking" });
    for (const threadId of [fresh, named]) {
      const state = ThreadStateShape.parse(await client.threads.getState(threadId));
      expect(state).toMatchObject({ values: {}, next: [], tasks: [], interrupts: [], created_at: null });
      expect(await client.threads.getHistory(threadId)).toEqual([]);
    }
  });

  test("that waits for a human has its question, and with subgraphs where it was asked", async () => {
    const threadId = await askedThread();
    const state = await client.threads.getState(threadId);
    ThreadStateShape.parse(state);
    const [task] = state.tasks;
    expect(state).toMatchObject({ values: { steps: ["start", "first"] }, next: ["inner"] });
    expect(task).toMatchObject({ name: "inner", interrupts: [{ value: { question: "go on?" } }], state: null });
    const [deep] = (await client.threads.getState(threadId, undefined, { subgraphs: true })).tasks;
    expect(deep?.state).toMatchObject({ next: ["ask"], values: { steps: ["start", "first"] } });

    const ns = task?.checkpoint?.checkpoint_ns ?? expect.fail("no namespace");
    const response = await post(`${at.url}/threads/${threadId}/state/checkpoint`, {
      checkpoint: { checkpoint_ns: ns },
    });
    expect(await response.json()).toMatchObject({ next: ["ask"], checkpoint: { checkpoint_ns: ns } });
  });

  test("is found at each of its checkpoints, and nowhere else", async () => {
    const threadId = await askedThread();
    const history = await client.threads.getHistory(threadId);
    z.array(ThreadStateShape).parse(history);
    expect(history.map(({ next }) => next)).toEqual([["inner"], ["first"], ["__start__"]]);
    for (const { checkpoint, next } of history) {
      const id = checkpoint.checkpoint_id ?? expect.fail("no id");
      expect((await client.threads.getState(threadId, id)).next).toEqual(next);
      expect((await client.threads.getState(threadId, checkpoint)).next).toEqual(next);
    }
    const other = await fetch(`${at.url}/threads/${threadId}/state/1ef4f797-8335-6428-8001-8a1503f9b875`);
    expect([other.status, await detailOf(other)]).toEqual([404, expect.stringContaining("1ef4f797")]);
  });

  test("in its history comes in pages, filtered, and before a checkpoint", async () => {
    const threadId = await askedThread();
    const all = await client.threads.getHistory(threadId);
    const ids = (states: unknown) =>
      z
        .array(ThreadStateShape)
        .parse(states)
        .map(({ checkpoint }) => checkpoint?.checkpoint_id);
    const [first, second] = ids(all);
    expect(ids(await client.threads.getHistory(threadId, { limit: 2 }))).toEqual([first, second]);
    expect(ids(await client.threads.getHistory(threadId, { metadata: { source: "input" } }))).toEqual(
      ids(all).slice(2),
    );
    for (const before of [first, { checkpoint_id: first }, { configurable: { checkpoint_id: first } }]) {
      const response = await post(`${at.url}/threads/${threadId}/history`, { before, limit: null });
      expect(ids(await response.json())).toEqual(ids(all).slice(1));
    }
    const page = await fetch(`${at.url}/threads/${threadId}/history?limit=1&before=${second}`);
    expect(ids(await page.json())).toEqual(ids(all).slice(2));

    const refused = await post(`${at.url}/threads/${threadId}/history`, { before: {}, limit: 0 });
    expect([refused.status, await detailOf(refused)]).toEqual([
      422,
      "body.limit: must be at least 1; body.before: must be a checkpoint's id, or an object that holds one",
    ]);
  });

  test("of a graph that this server has not loaded is 404 with the graph's name", async () => {
    const { thread_id } = await client.threads.create({ graphId: "gone" });
    const response = await fetch(`${at.url}/threads/${thread_id}/state`);
    expect([response.status, await detailOf(response)]).toEqual([404, expect.stringContaining("graph gone")]);
  });
});
