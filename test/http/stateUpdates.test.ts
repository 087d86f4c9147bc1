/** State that callers write: a server on the real core, whose threads have no runs but those that a test begins. */
import { randomUUID } from "node:crypto";
import {
  Annotation,
  DeltaChannel,
  END,
  interrupt,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import type { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Checkpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { StateDrafts } from "../../app/data/stateDrafts.js";
import { ours } from "../support/checkpoints.js";
import type { Core } from "../support/core.js";
import { type OnCore, startOnCore } from "./onCore.js";
import { detailOf, post, type Started } from "./support.js";

const append = (all: string[] = [], more: string[] = []) => [...all, ...more];
const State = Annotation.Root({
  steps: Annotation<string[]>({ reducer: append, default: () => [] }),
  log: () =>
    new DeltaChannel<string[], string[]>((all, more) => [...(all ?? []), ...more.flat()], { snapshotFrequency: 9 }),
  note: Annotation<string>,
});
const inner = new StateGraph(State)
  .addNode("ask", () => ({ steps: [String(interrupt("go on?"))] }))
  .addEdge(START, "ask")
  .addEdge("ask", END)
  .compile();
const agent = new StateGraph(State)
  .addNode("plan", () => ({ steps: ["planned"], log: ["planned"] }))
  .addNode("inner", inner)
  .addNode("close", () => ({ steps: ["closed"], log: ["closed"] }))
  .addEdge(START, "plan")
  .addConditionalEdges("plan", ({ note }) => {
    if (note === "broken") throw new TypeError("no way from here");
    return note === "twice" ? [new Send("inner", { note }), new Send("inner", { note })] : "inner";
  })
  .addEdge("inner", "close")
  .addEdge("close", END)
  .compile();
/** Two nodes in one step. */
const pair = new StateGraph(State)
  .addNode("left", () => ({ steps: ["left"] }))
  .addNode("right", () => ({ steps: ["right"] }))
  .addEdge(START, "left")
  .addEdge(START, "right")
  .compile();
const chat = new StateGraph(MessagesAnnotation)
  .addNode("answer", () => ({ messages: [] }))
  .addNode("review", () => ({}))
  .addEdge(START, "answer")
  .addEdge("answer", "review")
  .addEdge("review", END)
  .compile();

let core: Core;
let saver: Checkpointer;
let at: Started;
let client: Client;
let stop: OnCore["stop"];
beforeAll(async () => {
  ({ core, saver, at, client, stop } = await startOnCore({ echo: agent, chat, pair }));
});
afterAll(() => stop());

let threadId: string;
beforeEach(async () => {
  await core.admin.flushall();
  threadId = (await client.threads.create({ graphId: "echo" })).thread_id;
});

/** A run, done by the test as a worker does it. */
async function run(input: Record<string, unknown> | null): Promise<void> {
  await client.runs.create(threadId, "echo", { input });
  const claimed = await core.claim(threadId);
  const graph = Object.assign(Object.create(agent), { checkpointer: saver }) as typeof agent;
  const config = { configurable: { thread_id: threadId, ...writtenBy(claimed) } };
  await graph.invoke(input, config);
  const { values, next } = await graph.getState({ configurable: { thread_id: threadId } });
  const state = { values: JSON.stringify(values), interrupts: "{}" };
  const threadStatus = next.length > 0 ? "interrupted" : "idle";
  await core.attempts.finish(claimed, { status: "success", threadStatus, answer: "{}", state }, 1, []);
}

const update = (body: object) => post(`${at.url}/threads/${threadId}/state`, body);
const refusalOf = async (response: Response) => [response.status, await detailOf(response)];
/** All that Redis holds of the checkpoints. */
const stored = async () => (await core.admin.keys("*")).filter((key) => /:(checkpoint|history)/.test(key));

describe("a state that is written", () => {
  test("is what the thread shows, with what comes next", async () => {
    const before = await client.threads.get(threadId);
    const answer = await update({ values: { steps: ["mine"] }, as_node: "plan" });
    const { checkpoint, configurable } = (await answer.json()) as Record<string, unknown>;
    expect(checkpoint).toMatchObject({ thread_id: threadId, checkpoint_ns: "", checkpoint_id: expect.any(String) });
    expect(configurable).toEqual(checkpoint);
    const thread = await client.threads.get(threadId);
    expect(thread).toMatchObject({ values: { steps: ["mine"] }, status: "interrupted", interrupts: {} });
    expect(Date.parse(thread.state_updated_at ?? "")).toBeGreaterThanOrEqual(Date.parse(before.updated_at));
    const state = await client.threads.getState(threadId);
    expect(state).toMatchObject({ next: ["inner"], checkpoint, metadata: { source: "update" } });

    await client.threads.updateState(threadId, { values: { steps: ["end"] }, asNode: "close" });
    expect(await client.threads.get(threadId)).toMatchObject({ values: { steps: ["mine", "end"] }, status: "idle" });
    expect(await client.threads.getHistory(threadId)).toHaveLength(2);
  });

  test("goes on from what a run left, and forks from an older checkpoint", async () => {
    await run({ steps: ["start"] });
    expect(await client.threads.get(threadId)).toMatchObject({ values: { steps: ["start", "planned"] } });
    await update({ values: { steps: ["after"], log: ["after"] }, as_node: "close" });
    expect((await client.threads.getState<{ log: string[] }>(threadId)).values).toMatchObject({
      steps: ["start", "planned", "after"],
      log: ["planned", "after"],
    });

    const first = (await client.threads.getHistory(threadId)).at(-2);
    const wanted = { checkpoint: { checkpoint_id: first?.checkpoint.checkpoint_id } };
    await update({ values: { steps: ["other"], log: ["other"] }, as_node: "plan", ...wanted });
    const fork = await client.threads.getState(threadId);
    expect(fork).toMatchObject({ values: { steps: ["start", "other"], log: ["other"] }, next: ["inner"] });
    expect(fork.parent_checkpoint?.checkpoint_id).toBe(first?.checkpoint.checkpoint_id);
    expect(await client.threads.get(threadId)).toMatchObject({ values: fork.values, status: "interrupted" });
    await run(null);
    expect(await client.threads.getState(threadId)).toMatchObject({ next: ["inner"], values: { log: ["other"] } });
  });

  test("of a subgraph is seen there, and leaves the graph around it as it was", async () => {
    await run({ steps: ["start"] });
    const [task] = (await client.threads.getState(threadId)).tasks;
    const checkpoint = { checkpoint_ns: task?.checkpoint?.checkpoint_ns };
    const answer = await update({ values: { steps: ["within"] }, as_node: "ask", checkpoint });
    expect(await answer.json()).toMatchObject({ checkpoint });
    const [within] = (await client.threads.getState(threadId, undefined, { subgraphs: true })).tasks;
    expect(within?.state).toMatchObject({ values: { steps: ["start", "planned", "within"] }, next: [] });
    expect(await client.threads.get(threadId)).toMatchObject({ values: { steps: ["start", "planned"] } });
    const unknown = await update({ values: null, checkpoint: { checkpoint_ns: "nowhere:1" } });
    expect(await refusalOf(unknown)).toEqual([404, expect.stringContaining("nowhere")]);
  });

  test("of a copied thread goes on from what it shares with its source, which stays as it was", async () => {
    await run({ steps: ["start"] });
    const source = await client.threads.getState(threadId);
    const copied = await client.threads.copy(threadId);
    threadId = copied.thread_id;
    await update({ values: { steps: ["mine"], log: ["mine"] }, as_node: "close" });
    expect((await client.threads.get(threadId)).values).toMatchObject({
      steps: ["start", "planned", "mine"],
      log: ["planned", "mine"],
    });
    const sourceId = source.checkpoint.thread_id;
    expect(await client.threads.getState(sourceId)).toEqual(source);
  });

  test("without values is a copy; messages may be plain objects", async () => {
    await update({ values: { steps: ["mine"] }, as_node: "plan" });
    expect((await update({})).status).toBe(200);
    expect((await update({ values: null, as_node: null, checkpoint_id: null })).status).toBe(200);
    const history = await client.threads.getHistory(threadId);
    expect(history.map(({ values }) => values)).toEqual([
      { steps: ["mine"], log: [] },
      { steps: ["mine"], log: [] },
      { steps: ["mine"], log: [] },
    ]);

    threadId = (await client.threads.create({ graphId: "chat" })).thread_id;
    const messages = [
      { role: "user", content: "hi" },
      { type: "ai", content: "hello", id: "m2" },
    ];
    await update({ values: { messages }, as_node: "answer" });
    expect((await client.threads.get(threadId)).values).toMatchObject({
      messages: [
        { type: "human", content: "hi", id: expect.any(String) },
        { type: "ai", content: "hello", id: "m2" },
      ],
    });
    await update({ values: { messages: [{ type: "remove", id: "m2" }] } });
    expect((await client.threads.get(threadId)).values).toMatchObject({ messages: [{ content: "hi" }] });
  });
});

describe("a state update is refused, and leaves nothing", () => {
  const MISSING = "1ef4a9b8-e6fb-67b1-8001-abd5184439d1";
  test.each<[string, object, number, RegExp]>([
    ["an unknown node", { values: {}, as_node: "nobody" }, 422, /^the graph refuses .*Node "nobody" does not exist.*$/],
    ["values that are none", { values: "x", as_node: "plan" }, 422, /^body\.values: must be an object, a list or null/],
    ["values that its code can't take", { values: { note: "broken" }, as_node: "plan" }, 422, /TypeError: no way/],
    ["unknown channels' wrong form", { values: [1, 2], as_node: "plan" }, 422, /^the graph refuses the update.*$/],
    ["a checkpoint that is not there", { values: {}, checkpoint_id: MISSING }, 404, new RegExp(MISSING)],
    [
      "no checkpoint's id",
      { values: {}, checkpoint: { checkpoint_id: "a:b" } },
      422,
      /^body\.checkpoint\.checkpoint_id/,
    ],
  ])("with %s", async (_name, body, status, detail) => {
    const answer = await update(body);
    expect(await refusalOf(answer)).toEqual([status, expect.stringMatching(detail)]);
    expect(await stored()).toEqual([]);
    expect(await client.threads.get(threadId)).toMatchObject({ values: null, status: "idle" });
  });

  test("where it could be of several nodes", async () => {
    threadId = (await client.threads.create({ graphId: "pair" })).thread_id;
    const graph = Object.assign(Object.create(pair), { checkpointer: saver }) as typeof pair;
    await graph.invoke({}, { configurable: { thread_id: threadId } });
    const before = await stored();
    expect(await refusalOf(await update({ values: { steps: ["x"] } }))).toEqual([
      422,
      expect.stringContaining("Ambiguous update, specify as_node"),
    ]);
    expect(await stored()).toEqual(before);
  });

  test("on a thread without a graph, or that is not there", async () => {
    threadId = (await client.threads.create()).thread_id;
    expect(await refusalOf(await update({ values: {} }))).toEqual([400, expect.stringContaining("has no graph yet")]);
    threadId = randomUUID();
    expect(await refusalOf(await update({ values: {} }))).toEqual([404, `thread ${threadId} does not exist`]);
  });

  test("while Redis is full, and is taken once it has room", async () => {
    await update({ values: { steps: ["before"] }, as_node: "plan" });
    const before = (await stored()).length;
    await core.admin.config("SET", "maxmemory", "1mb");
    try {
      const full = await update({ values: { steps: ["full"] }, as_node: "plan" });
      expect([full.status, full.headers.get("retry-after")]).toEqual([503, "1"]);
    } finally {
      await core.admin.config("SET", "maxmemory", "0");
    }
    expect(await stored()).toHaveLength(before);
    expect(await client.threads.get(threadId)).toMatchObject({ values: { steps: ["before"] } });
    expect((await update({ values: { steps: ["after"] }, as_node: "plan" })).status).toBe(200);
  });

  test("while a run is pending, running or delayed", async () => {
    for (const options of [{}, { afterSeconds: 60 }]) {
      const { run_id } = await client.runs.create(threadId, "echo", { input: {}, ...options });
      expect(await refusalOf(await update({ values: {}, as_node: "plan" }))).toEqual([
        409,
        expect.stringContaining("is busy"),
      ]);
      await client.runs.cancel(threadId, run_id);
    }
    await client.runs.create(threadId, "echo", { input: {} });
    await core.claim(threadId);
    expect((await update({ values: {}, as_node: "plan" })).status).toBe(409);
    expect(await stored()).toEqual([]);
  });
});

describe("a state update beside others", () => {
  const drafts = () => new StateDrafts({ redis: core.redis, keys: core.keys, langgraph: ours });
  const shown = { valuesJson: '{"steps":["mine"]}', interruptsJson: "{}", status: "idle" } as const;

  test("is computed again from what another one wrote meanwhile", async () => {
    const all = Array.from({ length: 3 }, (_, n) => update({ values: { steps: [`${n}`] }, as_node: "close" }));
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual([200, 200, 200]);
    const { steps } = (await client.threads.get<{ steps: string[] }>(threadId)).values;
    expect(steps.toSorted()).toEqual(["0", "1", "2"]);
  });

  test("loses none that was acknowledged, whatever runs come and go meanwhile", async () => {
    const acknowledged: string[] = [];
    let running = true;
    const write = async (writer: number) => {
      for (let n = 0; running; n++) {
        const step = `${writer}.${n}`;
        const { status } = await update({ values: { steps: [step], log: [step] }, as_node: "close" });
        if (status === 200) acknowledged.push(step);
        else expect(status).toBe(409);
      }
    };
    const writing = [write(0), write(1)];
    for (let n = 0; n < 5; n++) {
      await run({ steps: [`run ${n}`], log: [`run ${n}`] });
      acknowledged.push(`run ${n}`);
      const before = acknowledged.length;
      await expect.poll(() => acknowledged.length, { interval: 1, timeout: 10_000 }).toBeGreaterThan(before);
    }
    running = false;
    await Promise.all(writing);
    const { steps, log } = (await client.threads.getState<{ steps: string[]; log: string[] }>(threadId)).values;
    expect(steps.filter((step) => step !== "planned").toSorted()).toEqual(acknowledged.toSorted());
    expect(log.filter((step) => step !== "planned").toSorted()).toEqual(acknowledged.toSorted());
    expect((await client.threads.get(threadId)).values).toMatchObject({ steps, log });
  });

  test("stores nothing once a run was accepted, began, or has ended", async () => {
    const draft = await drafts().open(threadId);
    const graph = Object.assign(Object.create(agent), { checkpointer: draft.checkpointer }) as typeof agent;
    await graph.updateState({ configurable: { thread_id: threadId, ...draft.writer } }, { steps: ["mine"] }, "plan");
    expect(await stored()).toEqual([]);
    await client.runs.create(threadId, "echo", { input: { steps: ["run"] } });
    await expect(draft.commit(shown)).rejects.toMatchObject({ reason: "thread_busy" });
    const claimed = await core.claim(threadId);
    await expect(draft.commit(shown)).rejects.toMatchObject({ reason: "thread_busy" });
    const state = { values: '{"steps":["run"]}', interrupts: "{}" };
    await core.attempts.finish(claimed, { status: "success", threadStatus: "idle", answer: "{}", state }, 1, []);
    expect(await draft.commit(shown)).toBe(false);
    expect(await client.threads.get(threadId)).toMatchObject({ values: { steps: ["run"] } });
    expect(await stored()).toEqual([]);
  });

  test("sent twice, because its connection went, is written once", async () => {
    const draft = await drafts().open(threadId);
    const graph = Object.assign(Object.create(agent), { checkpointer: draft.checkpointer }) as typeof agent;
    await graph.updateState({ configurable: { thread_id: threadId, ...draft.writer } }, { steps: ["mine"] }, "plan");
    expect([await draft.commit(shown), await draft.commit(shown)]).toEqual([true, true]);
    expect(await client.threads.getHistory(threadId)).toHaveLength(1);
  });

  test("stores nothing on a thread that was deleted, or made anew under its id", async () => {
    const draft = await drafts().open(threadId);
    await client.threads.delete(threadId);
    await expect(draft.commit(shown)).rejects.toMatchObject({ reason: "thread_missing" });
    await client.threads.create({ threadId });
    expect(await draft.commit(shown)).toBe(false);
    expect(await client.threads.get(threadId)).toMatchObject({ values: null });
  });

  test("takes the place of what a run that was ended for its owner left untold", async () => {
    await client.runs.create(threadId, "echo", { input: { steps: ["start"] } });
    const claimed = await core.claim(threadId);
    await core.attempts.release(claimed);
    await client.runs.cancel(threadId, claimed.runId);
    const key = core.keys.of(threadId, "thread", threadId);
    expect(await core.redis.hget(key, "stale")).toBe("1");
    await update({ values: { steps: ["mine"] }, as_node: "close" });
    expect(await core.redis.hget(key, "stale")).toBeNull();
    expect(await client.threads.get(threadId)).toMatchObject({ values: { steps: ["mine"] }, status: "idle" });
  });
});

describe("a thread made from supersteps", () => {
  const supersteps = [
    { updates: [{ values: { steps: ["asked"] }, asNode: "__input__" }] },
    { updates: [{ values: { steps: ["asked"] }, asNode: "__start__" }] },
    { updates: [{ values: { steps: ["planned"], note: "twice" }, asNode: "plan" }] },
    {
      updates: [
        { values: { steps: ["one"] }, asNode: "inner" },
        { values: { steps: ["two"] }, asNode: "inner" },
      ],
    },
  ];

  test("has its states, and is at the step after them", async () => {
    const made = await client.threads.create({ graphId: "echo", supersteps, metadata: { team: "red" } });
    const steps = ["asked", "planned", "one", "two"];
    expect(made).toMatchObject({ values: { steps }, status: "interrupted", metadata: { team: "red" } });
    threadId = made.thread_id;
    const history = await client.threads.getHistory(threadId);
    expect(history.map(({ next }) => next)).toEqual([["close"], ["inner", "inner"], ["plan"], ["__start__"]]);
    await run(null);
    expect(await client.threads.get(threadId)).toMatchObject({
      values: { steps: [...steps, "closed"] },
      status: "idle",
    });
  });

  test("tells its history in pages, where that is too large to be told at once", async () => {
    const others = Array(11).fill({ updates: [{ values: {}, asNode: "plan" }] });
    const noted = { updates: [{ values: { note: "x".repeat(7 * 1024 * 1024) }, asNode: "plan" }] };
    const { thread_id } = await client.threads.create({ graphId: "echo", supersteps: [noted, ...others] });
    const refused = await fetch(`${at.url}/threads/${thread_id}/history?limit=1000`);
    expect(await refusalOf(refused)).toEqual([422, expect.stringMatching(/^limit: .* more than 64 MiB together/)]);
    expect(await client.threads.getHistory(thread_id, { limit: 2 })).toHaveLength(2);
  });

  test("leaves others their turn while it is computed", async () => {
    let [turn, longestMs] = [performance.now(), 0];
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - turn);
      turn = performance.now();
    }, 1);
    const began = turn;
    const many = Array(200).fill({ updates: [{ values: { note: "again" }, asNode: "plan" }] });
    await client.threads.create({ graphId: "echo", supersteps: many });
    clearInterval(timer);
    expect(longestMs).toBeLessThan((performance.now() - began) / 3);
  });

  test("takes commands as updates", async () => {
    const command = { update: { steps: ["by command"] }, goto: "close" };
    const { values, thread_id } = await client.threads.create({
      graphId: "echo",
      supersteps: [{ updates: [{ values: null, command, asNode: "plan" }] }],
    });
    expect(values).toMatchObject({ steps: ["by command"] });
    expect((await client.threads.getState(thread_id)).next).toContain("close");
  });

  test.each<[string, object, number, RegExp]>([
    ["no graph", { metadata: {} }, 400, /has no graph yet/],
    ["an unknown graph", { metadata: { graph_id: "nobody" } }, 404, /graph nobody/],
    [
      "a step that the graph refuses",
      {
        supersteps: [{ updates: [{ values: {}, as_node: "plan" }] }, { updates: [{ values: {}, as_node: "nobody" }] }],
      },
      422,
      /Node "nobody" does not exist/,
    ],
    [
      "more updates than it may have",
      { supersteps: Array(201).fill({ updates: Array(10).fill({ values: {}, as_node: "plan" }) }) },
      422,
      /^body\.supersteps: must have at most 2000 updates together/,
    ],
    [
      "a step of no node",
      { supersteps: [{ updates: [{ values: {} }] }] },
      422,
      /^body\.supersteps\.0\.updates\.0\.as_node/,
    ],
  ])("with %s leaves no thread", async (_name, body, status, detail) => {
    const id = randomUUID();
    const given = { metadata: { graph_id: "echo" }, supersteps: [{ updates: [{ values: {}, as_node: "plan" }] }] };
    const answer = await post(`${at.url}/threads`, { thread_id: id, ...given, ...body });
    expect(await refusalOf(answer)).toEqual([status, expect.stringMatching(detail)]);
    expect((await core.admin.keys("*")).filter((key) => key.includes(id))).toEqual([]);
  });

  test("with states that are too large for one transaction leaves no thread", async () => {
    const updates = [{ values: { steps: ["x".repeat(1024 * 1024)] }, as_node: "plan" }];
    const body = { thread_id: randomUUID(), metadata: { graph_id: "echo" }, supersteps: Array(7).fill({ updates }) };
    const answer = await post(`${at.url}/threads`, body);
    expect(await refusalOf(answer)).toEqual([413, expect.stringMatching(/^body: .* more than 32 MiB together$/)]);
    expect((await core.admin.keys("*")).filter((key) => key.includes(body.thread_id))).toEqual([]);
  });

  test("is refused while an earlier thread of its id is being deleted", async () => {
    const id = randomUUID();
    await core.admin.zadd(core.keys.of(id, "removals"), Date.now(), id);
    const body = { thread_id: id, metadata: { graph_id: "echo" } };
    const made = await post(`${at.url}/threads`, {
      ...body,
      supersteps: [{ updates: [{ values: {}, as_node: "plan" }] }],
    });
    expect(await refusalOf(made)).toEqual(await refusalOf(await post(`${at.url}/threads`, body)));
    expect(made.status).toBe(409);
    expect(await stored()).toEqual([]);
  });

  test("leaves one that exists as it is", async () => {
    const again = { threadId, graphId: "echo", supersteps };
    await expect(client.threads.create(again)).rejects.toMatchObject({ status: 409 });
    expect(await client.threads.create({ ...again, ifExists: "do_nothing" })).toMatchObject({ values: null });
    expect(await stored()).toEqual([]);
  });
});
