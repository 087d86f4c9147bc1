/** What each stream mode sends, of real graphs that are executed as a worker does it. */
import { AIMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import {
  Annotation,
  END,
  interrupt,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { createCheckpointer } from "../../app/data/checkpoints/checkpointer.js";
import type { Graph, Graphs } from "../../app/graphs/load.js";
import { findLangGraph, loadRuntime } from "../../app/graphs/runtime.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { createPersist } from "../../app/redis/persist.js";
import type { RunPayload } from "../../app/runs/types.js";
import { Execution, type ExecutionDeps } from "../../app/worker/execution.js";
import { type Core, collect, newRun, silent, startCore } from "../support/core.js";
import { graphStoreOn, itemsOn } from "../support/items.js";

const State = Annotation.Root({
  ...MessagesAnnotation.spec,
  note: Annotation<string>({ reducer: (_old, now) => now, default: () => "" }),
});
type Step = typeof State.State;

const model = new FakeListChatModel({ responses: ["hey"] });
const quiet = model.withConfig({ tags: ["nostream"] });

const inner = new StateGraph(State)
  .addNode("think", async ({ messages }: Step, config: LangGraphRunnableConfig) => {
    config.writer?.({ thought: 1 });
    const aside = await quiet.invoke(messages, config);
    return { note: String(aside.content), messages: [await model.invoke(messages, config)] };
  })
  .addEdge(START, "think")
  .compile();

const weather = tool(async () => "sun", { name: "weather", description: "of today", schema: z.object({}) });
const call = { name: "weather", args: {}, id: "call-1", type: "tool_call" as const };

const known = {
  agent: new StateGraph(State).addNode("inner", inner).addEdge(START, "inner").compile(),
  speaker: new StateGraph(State)
    .addNode("speak", async ({ messages }: Step, config: LangGraphRunnableConfig) => {
      await quiet.invoke(messages, config);
      return { messages: [await model.invoke(messages, config), new AIMessage({ id: "whole", content: "bye" })] };
    })
    .addEdge(START, "speak")
    .compile(),
  caller: new StateGraph(State)
    .addNode("call", () => ({ messages: [new AIMessage({ id: "asks", content: "", tool_calls: [call] })] }))
    .addNode("tools", new ToolNode([weather]))
    .addEdge(START, "call")
    .addEdge("call", "tools")
    .addEdge("tools", END)
    .compile(),
  asker: new StateGraph(State)
    .addNode("left", () => ({ note: String(interrupt("left?")) }))
    .addNode("right", () => ({ note: String(interrupt("right?")) }))
    .addEdge(START, "left")
    .addEdge(START, "right")
    .compile(),
} as unknown as Record<string, Graph>;

let core: Core;
let deps: ExecutionDeps;
beforeAll(async () => {
  core = await startCore();
  const runtime = await loadRuntime(findLangGraph(process.cwd()));
  const graphs: Graphs = {
    ids: Object.keys(known),
    runtime,
    timeToLive: { refreshOnRead: true, defaultMs: undefined },
    has: (id) => id in known,
    defaults: () => undefined,
    describe: () => null,
    get: async (id) => known[id] ?? expect.fail(`no graph ${id}`),
  };
  deps = {
    ...{ attempts: core.attempts, graphs, runTimeoutSeconds: 60, logErrorMessages: false, log: silent },
    checkpointer: createCheckpointer(runtime, core),
    store: graphStoreOn(itemsOn(core)),
    persist: createPersist(core.redis, silent),
  };
});
afterAll(() => core.stop());

interface Sent {
  event: string;
  data: unknown;
}

/** All that a run sends between its `metadata` and its `end`, and what wait answers. */
async function sentBy(graphId: keyof typeof known, stream_mode: string[], payload: Partial<RunPayload> = {}) {
  const input = { messages: [{ role: "user", content: "hi", id: "in" }] };
  const run = newRun({ graphId: String(graphId), payload: { stream_mode, input, ...payload } });
  const follow = await core.runs.follow(run.threadId, run.runId, "new");
  await core.runs.enqueue(run);
  const events = collect(follow);
  const { runs } = await core.attempts.claim(partitionOf(run.threadId), Object.keys(known), 1, 30_000);
  await new Execution(runs[0] ?? expect.fail("nothing to claim"), deps).done();
  const all = (await events).map(({ event, data }): Sent => ({ event, data: JSON.parse(data) }));
  expect(all[0]).toEqual({ event: "metadata", data: { run_id: run.runId, attempt: 1 } });
  expect(all.at(-1)?.event).toBe("end");
  return { run, sent: all.slice(1, -1), answer: all.at(-1)?.data };
}

/** Names by which LangGraph and the worker speak to each other. */
const INTERNAL = /"__[a-z_]+":/;

const namesOf = (sent: Sent[]) => sent.map(({ event }) => event.replace(/:[0-9a-f-]{36}/g, ":task"));
const dataOf = <T = unknown>(sent: Sent[], event: string): T[] =>
  sent.filter((each) => each.event === event).map(({ data }) => data as T);

interface Message {
  id: string;
  content: string;
  type: string;
}
interface Debug {
  type: string;
  payload: unknown;
}

test("each mode alone sends its own events and no others", async () => {
  const all = ["values", "updates", "custom", "debug", "tasks", "checkpoints"];
  for (const mode of all) {
    const { sent } = await sentBy("agent", [mode]);
    expect(new Set(namesOf(sent)), mode).toEqual(new Set([mode]));
  }
});

test("`values` are whole states, `updates` what each node gave, `custom` what it wrote", async () => {
  const { sent } = await sentBy("speaker", ["values", "updates"]);
  expect(namesOf(sent)).toEqual(["values", "updates", "values"]);
  expect(dataOf<{ messages: [] }>(sent, "values").map(({ messages }) => messages.length)).toEqual([1, 3]);
  expect(dataOf(sent, "updates")).toMatchObject([{ speak: { messages: [{ content: "hey" }, { id: "whole" }] } }]);
  expect(dataOf((await sentBy("agent", ["custom"])).sent, "custom")).toEqual([{ thought: 1 }]);
});

test("`messages-tuple` is sent as `messages`, a chunk with its metadata each, and nothing that is tagged nostream", async () => {
  const { sent } = await sentBy("speaker", ["messages-tuple"]);
  expect(new Set(namesOf(sent))).toEqual(new Set(["messages"]));
  const chunks = dataOf<[Message, object]>(sent, "messages");
  expect(chunks.map(([{ content }]) => content)).toEqual(["h", "e", "y", "bye"]);
  expect(chunks[0]?.[1]).toMatchObject({ langgraph_node: "speak" });
  expect(JSON.stringify(sent)).not.toMatch(INTERNAL);
});

test("`messages` are sent as they grow, once with their metadata, and at once where they come whole", async () => {
  const { sent } = await sentBy("speaker", ["messages"]);
  const grown = ["messages/metadata", "messages/partial", "messages/partial", "messages/partial"];
  expect(namesOf(sent)).toEqual([...grown, "messages/metadata", "messages/complete"]);
  const partial = dataOf<[Message]>(sent, "messages/partial");
  expect(partial.map(([{ content, type }]) => [content, type])).toEqual(
    ["h", "he", "hey"].map((content) => [content, "ai"]),
  );
  const id = partial[0]?.[0].id ?? "";
  expect(sent[0]?.data).toMatchObject({ [id]: { metadata: { langgraph_node: "speak" } } });
  expect(dataOf(sent, "messages/complete")).toMatchObject([[{ id: "whole", content: "bye", type: "ai" }]]);
});

test("`debug` wraps what `tasks` and `checkpoints` send as it is", async () => {
  const { sent, run } = await sentBy("speaker", ["debug", "tasks", "checkpoints"]);
  const debug = dataOf<Debug>(sent, "debug");
  expect(debug.map(({ type }) => type)).toEqual(["checkpoint", "checkpoint", "task", "task_result", "checkpoint"]);
  for (const each of debug) expect(each).toMatchObject({ step: expect.any(Number), timestamp: expect.any(String) });
  expect(dataOf(sent, "tasks")).toMatchObject([
    { name: "speak", input: { messages: [{ id: "in" }] }, triggers: expect.any(Array) },
    { name: "speak", result: { messages: [{ content: "hey" }, { id: "whole" }] }, interrupts: [] },
  ]);
  const payloads = (type: string) => debug.filter((each) => each.type === type).map(({ payload }) => payload);
  expect(dataOf(sent, "checkpoints")).toEqual(payloads("checkpoint"));
  for (const checkpoint of dataOf(sent, "checkpoints"))
    expect(checkpoint).toMatchObject({
      values: expect.any(Object),
      metadata: expect.any(Object),
      next: expect.any(Array),
      checkpoint: { thread_id: run.threadId, checkpoint_id: expect.any(String), checkpoint_ns: "" },
    });
  expect(JSON.stringify(sent)).not.toMatch(INTERNAL);
});

test("`events` come where they were asked for, with other modes as they are without them", async () => {
  for (const others of [
    ["values", "messages-tuple"],
    ["checkpoints", "updates"],
  ]) {
    const plain = await sentBy("speaker", others);
    const { sent } = await sentBy("speaker", ["events", ...others]);
    const without = sent.filter(({ event }) => event !== "events");
    expect(namesOf(without).sort()).toEqual(namesOf(plain.sent).sort());
    for (const checkpoint of dataOf(sent, "checkpoints")) expect(checkpoint).toHaveProperty("values");
    const events = dataOf<{ event: string; tags: string[] }>(sent, "events");
    expect(events.map(({ event }) => event)).toContain("on_chat_model_stream");
    expect(events.flatMap(({ tags }) => tags)).not.toContain("langsmith:hidden");
  }
});

test("`tools` tell of each call's begin and end", async () => {
  const { sent } = await sentBy("caller", ["tools"]);
  expect(namesOf(sent)).toEqual(["tools", "tools"]);
  expect(dataOf(sent, "tools")).toMatchObject([
    { event: "on_tool_start", name: "weather", toolCallId: "call-1" },
    { event: "on_tool_end", name: "weather", toolCallId: "call-1", output: { content: "sun", type: "tool" } },
  ]);
});

test("subgraphs send only where they were asked for, under their names in every mode", async () => {
  const modes = ["values", "updates", "custom", "tasks", "checkpoints", "debug", "messages-tuple"];
  const { sent } = await sentBy("agent", modes, { stream_subgraphs: true });
  const names = new Set(namesOf(sent));
  for (const mode of modes.map((name) => (name === "messages-tuple" ? "messages" : name)))
    expect([...names]).toContain(`${mode}|inner:task`);
  expect([...names]).toEqual(expect.arrayContaining(["values", "updates", "tasks", "checkpoints", "debug"]));
  expect([...names]).not.toContain("custom");
  const partial = await sentBy("agent", ["messages"], { stream_subgraphs: true });
  expect(namesOf(partial.sent).slice(0, 2)).toEqual(["messages/metadata|inner:task", "messages/partial|inner:task"]);
  expect(namesOf((await sentBy("agent", modes)).sent).filter((name) => name.includes("|"))).toEqual([]);
});

test("interrupts are told in `updates` one by one, and with the state in `values` and in the answer, all of them", async () => {
  const { sent, answer } = await sentBy("asker", ["values", "updates"]);
  expect(dataOf(sent, "updates")).toMatchObject([
    { __interrupt__: [{ value: "left?" }] },
    { __interrupt__: [{ value: "right?" }] },
  ]);
  const last = dataOf(sent, "values").at(-1);
  expect(last).toMatchObject({ messages: [{ id: "in" }], __interrupt__: [{ value: "left?" }, { value: "right?" }] });
  expect(answer).toEqual(last);
  const { answer: unasked } = await sentBy("asker", ["updates"]);
  expect(unasked).toMatchObject({ messages: [{ id: "in" }], __interrupt__: [{ value: "left?" }, { value: "right?" }] });
});
