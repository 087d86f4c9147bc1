/** Copies of threads, pruning and storage as clients see them: a server on the real core, a worker played by the test. */
import { randomUUID } from "node:crypto";
import { Annotation, Command, END, interrupt, START, StateGraph } from "@langchain/langgraph";
import type { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Checkpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { interruptsOf, threadStatusOf } from "../../app/graphs/state.js";
import { ThreadShape } from "../../app/http/shapes.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import type { Core } from "../support/core.js";
import { type OnCore, startOnCore } from "./onCore.js";
import { detailOf, post, type Started } from "./support.js";

const State = Annotation.Root({ steps: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }) });
const inner = new StateGraph(State)
  .addNode("ask", () => ({ steps: [String(interrupt("go on?"))] }))
  .addEdge(START, "ask")
  .addEdge("ask", END)
  .compile();
const asking = new StateGraph(State)
  .addNode("first", () => ({ steps: ["first"] }))
  .addNode("inner", inner)
  .addNode("last", () => ({ steps: ["last"] }))
  .addEdge(START, "first")
  .addEdge("first", "inner")
  .addEdge("inner", "last")
  .addEdge("last", END)
  .compile();

let core: Core;
let saver: Checkpointer;
let at: Started;
let client: Client;
let stop: OnCore["stop"];
beforeAll(async () => {
  ({ core, saver, at, client, stop } = await startOnCore({ echo: asking }));
});
let threadId: string;
beforeEach(async () => {
  await core.admin.flushall();
  threadId = (await client.threads.create({ metadata: { team: "red", list: [] } })).thread_id;
});
afterAll(() => stop());

const graph = () => Object.assign(Object.create(asking), { checkpointer: saver }) as typeof asking;

/** A run as a worker does it, up to its end. @param from a checkpoint to start from */
async function run(thread: string, input: unknown, from?: string): Promise<void> {
  const { claimed } = await begin(thread, input, from);
  const snapshot = await graph().getState({ configurable: { thread_id: thread } });
  await core.attempts.finish(
    claimed,
    {
      ...{ status: "success", threadStatus: threadStatusOf(snapshot as never), answer: "{}" },
      state: { values: JSON.stringify(snapshot.values), interrupts: JSON.stringify(interruptsOf(snapshot as never)) },
    },
    1,
    [],
  );
}

/** A run that has stored its checkpoints, and whose worker has not yet told its end. */
async function begin(thread: string, input: unknown, from?: string): Promise<{ claimed: ClaimedRun }> {
  await client.runs.create(thread, "echo", { input: {} });
  const claimed = await core.claim(thread);
  const configurable = { thread_id: thread, ...writtenBy(claimed), ...(from && { checkpoint_id: from }) };
  await graph().invoke(input as { steps: string[] }, { configurable });
  return { claimed };
}

const START_INPUT = { steps: ["start"] };
const answered = (answer: string) => new Command({ resume: answer });
const stepsOf = async (thread: string) => (await client.threads.getState<{ steps: string[] }>(thread)).values.steps;

/** A history as clients get it, under one thread's id. */
async function historyOf(thread: string, as: string): Promise<unknown> {
  const history = await client.threads.getHistory(thread, { limit: 100 });
  return JSON.parse(JSON.stringify(history).replaceAll(thread, as));
}

describe("a copy", () => {
  test("has the state, the history, the metadata and the question of its source, and no runs", async () => {
    await run(threadId, START_INPUT);
    const source = await client.threads.get(threadId);
    const response = await post(`${at.url}/threads/${threadId}/copy`, "");
    expect(response.status).toBe(200);
    const copy = ThreadShape.parse(await response.json());
    expect(copy.thread_id).not.toBe(threadId);
    const { metadata, status, values, interrupts, config } = source;
    expect(status).toBe("interrupted");
    expect(metadata).toMatchObject({ team: "red", list: [], graph_id: "echo" });
    expect(copy).toMatchObject({ metadata, status, values, interrupts, config });
    expect(await client.threads.get(copy.thread_id)).toEqual(copy);
    expect(await historyOf(copy.thread_id, threadId)).toEqual(await historyOf(threadId, threadId));
    expect(JSON.stringify(await client.threads.getHistory(copy.thread_id))).not.toContain(threadId);
    const [theirs, ours] = await Promise.all(
      [threadId, copy.thread_id].map((id) => client.threads.getState(id, undefined, { subgraphs: true })),
    );
    expect(JSON.parse(JSON.stringify(ours).replaceAll(copy.thread_id, threadId))).toEqual(theirs);
    expect(await client.runs.list(copy.thread_id)).toEqual([]);
  });

  test("is resumed apart from its source, each with its own answer", async () => {
    await run(threadId, START_INPUT);
    const { thread_id: copy } = await client.threads.copy(threadId);
    await run(threadId, answered("source"));
    expect(await client.threads.get(copy)).toMatchObject({ status: "interrupted" });
    await run(copy, answered("copy"));
    expect(await stepsOf(threadId)).toEqual(expect.arrayContaining(["start", "first", "source", "last"]));
    expect(await stepsOf(copy)).toEqual(expect.arrayContaining(["start", "first", "copy", "last"]));
    expect(JSON.stringify(await client.threads.getHistory(copy, { limit: 100 }))).not.toContain('"source"]');
    for (const thread of [threadId, copy])
      expect(await client.threads.get(thread)).toMatchObject({ status: "idle", interrupts: {} });
  });

  test("goes on from an older checkpoint of its source", async () => {
    await run(threadId, START_INPUT);
    await run(threadId, answered("one"));
    const { thread_id: copy } = await client.threads.copy(threadId);
    const history = await client.threads.getHistory<{ steps: string[] }>(copy, { limit: 100 });
    const older = history.find(({ next }) => next[0] === "first");
    await run(copy, null, older?.checkpoint?.checkpoint_id ?? "");
    expect(await client.threads.get(copy)).toMatchObject({ status: "interrupted" });
    await run(copy, answered("two"));
    expect(await stepsOf(copy)).toContain("two");
    expect(await stepsOf(threadId)).toContain("one");
    expect((await client.threads.getHistory(copy, { limit: 100 })).length).toBeGreaterThan(history.length);
  });

  test("stays whole when its source is deleted, and is gone with its own deletion", async () => {
    await run(threadId, START_INPUT);
    const { thread_id: copy } = await client.threads.copy(threadId);
    const before = await historyOf(copy, copy);
    await client.threads.delete(threadId);
    await client.threads.create({ threadId });
    expect(await client.threads.getHistory(threadId)).toEqual([]);
    expect(await historyOf(copy, copy)).toEqual(before);
    await run(copy, answered("yes"));
    expect(await stepsOf(copy)).toContain("last");
    await client.threads.delete(copy);
    const left = (await core.admin.keys("*")).filter((key) => /:(checkpoint|blobs|layer|gone|unread)/.test(key));
    expect(left).toEqual([]);
  });

  test("of a running thread has what is stored by then, and no run", async () => {
    const { claimed } = await begin(threadId, START_INPUT);
    const copy = await client.threads.copy(threadId);
    expect(copy).toMatchObject({ status: "interrupted", values: { steps: ["start", "first"] } });
    expect(Object.values(copy.interrupts)).toMatchObject([[{ value: "go on?" }]]);
    await client.runs.cancel(threadId, claimed.runId, true, "rollback");
    expect(await stepsOf(copy.thread_id)).toEqual(["start", "first"]);
    expect((await client.threads.getState(threadId)).checkpoint).toBeNull();
  });

  test("is written to apart from its source", async () => {
    await run(threadId, START_INPUT);
    const { thread_id: copy } = await client.threads.copy(threadId);
    await client.threads.updateState(copy, { values: { steps: ["written"] }, asNode: "last" });
    expect(await client.threads.get(copy)).toMatchObject({
      status: "idle",
      values: { steps: ["start", "first", "written"] },
    });
    expect(await client.threads.get(threadId)).toMatchObject({
      status: "interrupted",
      values: { steps: ["start", "first"] },
    });
    const { thread_id: second } = await client.threads.copy(copy);
    expect(await stepsOf(second)).toEqual(["start", "first", "written"]);
  });

  test("of a thread without a state has none", async () => {
    const copy = await client.threads.copy(threadId);
    expect(copy).toMatchObject({ status: "idle", values: null, metadata: { team: "red" } });
    expect(await client.threads.getHistory(copy.thread_id)).toEqual([]);
  });

  test("that can't be is refused, and leaves nothing", async () => {
    const before = await core.admin.dbsize();
    const missing = await post(`${at.url}/threads/${randomUUID()}/copy`, "");
    expect([missing.status, await detailOf(missing)]).toEqual([
      409,
      expect.stringMatching(/^thread .* does not exist$/),
    ]);
    expect((await post(`${at.url}/threads/t1/copy`, "")).status).toBe(422);
    expect(await core.admin.dbsize()).toBe(before);
  });
});

describe("pruning", () => {
  test("deletes threads, and counts those that were there", async () => {
    const { thread_id: other } = await client.threads.create();
    expect(await client.threads.prune([threadId, other, randomUUID(), threadId])).toEqual({ pruned_count: 2 });
    for (const id of [threadId, other]) await expect(client.threads.get(id)).rejects.toThrow("404");
  });

  test("keeps the newest checkpoint of graph and subgraph, and passes over busy threads", async () => {
    await run(threadId, START_INPUT);
    const { updated_at } = await client.threads.get(threadId);
    const { thread_id: busy } = await client.threads.create();
    await begin(busy, START_INPUT);
    const pruned = await client.threads.prune([threadId, busy], { strategy: "keep_latest" });
    expect(pruned).toEqual({ pruned_count: 1 });
    expect(await client.threads.getHistory(threadId)).toHaveLength(1);
    expect((await client.threads.getHistory(busy)).length).toBeGreaterThan(1);
    expect(await client.threads.get(threadId)).toMatchObject({ status: "interrupted", updated_at });
    await run(threadId, answered("yes"));
    expect(await stepsOf(threadId)).toContain("last");
  });

  test.each([
    ["no ids", {}, /^body\.thread_ids: is required/],
    ["an id that is none", { thread_ids: ["t1"] }, /^body\.thread_ids\.0: must be a uuid/],
    ["an unknown strategy", { thread_ids: [], strategy: "archive" }, /^body\.strategy: must be one of delete, keep/],
    ["too many", { thread_ids: Array(1_001).fill(randomUUID()) }, /^body\.thread_ids: must be at most 1000 ids/],
  ])("is refused with %s", async (_name, body, detail) => {
    const response = await post(`${at.url}/threads/prune`, body);
    expect([response.status, await detailOf(response)]).toEqual([422, expect.stringMatching(detail)]);
  });
});

describe("storage", () => {
  const storageOf = async (thread: string) => {
    const response = await fetch(`${at.url}/threads/${thread}/storage`);
    return (await response.json()) as Record<"checkpoints" | "channel_values" | "pending_writes", { bytes: number }> & {
      total_bytes: number;
      channel_values: { channels: Record<string, number> };
    };
  };

  test("tells the bytes of checkpoints, values by channel, and writes", async () => {
    expect(await storageOf(threadId)).toMatchObject({ thread_id: threadId, total_bytes: 0 });
    await run(threadId, { steps: ["x".repeat(10_000)] });
    const { total_bytes, checkpoints, channel_values, pending_writes } = await storageOf(threadId);
    expect(total_bytes).toBe(checkpoints.bytes + channel_values.bytes + pending_writes.bytes);
    expect(channel_values.channels.steps).toBeGreaterThan(10_000);
    expect(channel_values.channels.steps).toBeLessThan(50_000);
    expect(checkpoints.bytes).toBeGreaterThan(100);
    const { thread_id: copy } = await client.threads.copy(threadId);
    expect(await storageOf(copy)).toMatchObject({ total_bytes: 0 });
    expect((await fetch(`${at.url}/threads/${randomUUID()}/storage`)).status).toBe(404);
  });
});
