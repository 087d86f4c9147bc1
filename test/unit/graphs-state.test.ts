import { AIMessage } from "@langchain/core/messages";
import {
  Annotation,
  Command,
  END,
  interrupt,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { expect, test } from "vitest";
import { toEventData } from "../../app/graphs/eventData.js";
import { type Graph, isGraph, type StateSnapshot, withCheckpointer } from "../../app/graphs/graph.js";
import { toJson } from "../../app/graphs/serialize.js";
import { interruptsOf, publicMetadata, threadStatusOf, toThreadState } from "../../app/graphs/state.js";

const State = Annotation.Root({ ...MessagesAnnotation.spec, answers: Annotation<unknown[]> });

const child = new StateGraph(State)
  .addNode("ask", () => ({ answers: [interrupt("first?"), interrupt("second?")] }))
  .addEdge(START, "ask")
  .addEdge("ask", END)
  .compile();

const parent = new StateGraph(State)
  .addNode("greet", () => ({ messages: [new AIMessage({ content: "hello", id: "m1" })] }))
  .addNode("child", child)
  .addNode("fail", () => {
    throw new TypeError("cannot");
  })
  .addEdge(START, "greet")
  .addEdge("greet", "child")
  .addEdge("child", "fail")
  .addEdge("fail", END)
  .compile();

function fresh(): Graph {
  if (!isGraph(parent)) throw new Error("a compiled graph is a graph");
  return withCheckpointer(parent, new MemorySaver());
}

const config = (configurable = {}) => ({ configurable: { thread_id: "t", ...configurable } });
const state = (snapshot: StateSnapshot) => JSON.parse(toJson(toThreadState(snapshot)));

test("a thread without checkpoints has an empty state", async () => {
  expect(state(await fresh().getState(config()))).toEqual({
    values: {},
    next: [],
    tasks: [],
    checkpoint: null,
    metadata: {},
    created_at: null,
    parent_checkpoint: null,
    interrupts: [],
  });
});

test("the state of an interrupted thread", async () => {
  const graph = fresh();
  await graph.invoke({ messages: [] }, config());
  const snapshot = await graph.getState(config());
  const shown = state(snapshot);
  const [task] = shown.tasks;
  const question = { id: expect.any(String), value: "first?" };

  expect(shown).toEqual({
    values: { messages: [expect.objectContaining({ type: "ai", content: "hello", id: "m1" })] },
    next: ["child"],
    tasks: [
      {
        id: expect.any(String),
        name: "child",
        path: ["__pregel_pull", "child"],
        error: null,
        interrupts: [question],
        checkpoint: { thread_id: "t", checkpoint_ns: `child:${task.id}`, checkpoint_id: null, checkpoint_map: null },
        state: null,
        result: null,
      },
    ],
    checkpoint: { thread_id: "t", checkpoint_ns: "", checkpoint_id: expect.any(String), checkpoint_map: null },
    metadata: { source: "loop", step: 1, parents: {}, thread_id: "t" },
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    parent_checkpoint: { thread_id: "t", checkpoint_ns: "", checkpoint_id: expect.any(String), checkpoint_map: null },
    interrupts: [question],
  });
  expect(interruptsOf(snapshot)).toEqual({ [task.id]: [question] });
  expect(threadStatusOf(snapshot)).toBe("interrupted");
});

test("with subgraphs, a task's state is the subgraph's", async () => {
  const graph = fresh();
  await graph.invoke({ messages: [] }, config());
  const [task] = state(await graph.getState(config(), { subgraphs: true })).tasks;
  expect(task).toMatchObject({
    checkpoint: null,
    state: {
      next: ["ask"],
      interrupts: [{ value: "first?" }],
      checkpoint: { thread_id: "t", checkpoint_ns: `child:${task.id}`, checkpoint_map: { "": expect.any(String) } },
    },
  });
});

test("a thread waits at the second interrupt of a node as it did at the first", async () => {
  const graph = fresh();
  await graph.invoke({ messages: [] }, config());
  await graph.invoke(new Command({ resume: "one" }), config());
  const snapshot = await graph.getState(config());
  expect(Object.values(interruptsOf(snapshot)).flat()).toMatchObject([{ value: "second?" }]);
  expect(threadStatusOf(snapshot)).toBe("interrupted");
});

test("a task that failed says with what", async () => {
  const graph = fresh();
  await graph.invoke({ messages: [] }, config());
  await graph.invoke(new Command({ resume: "one" }), config());
  await expect(graph.invoke(new Command({ resume: "two" }), config())).rejects.toThrow("cannot");
  const shown = state(await graph.getState(config()));
  expect(shown).toMatchObject({ next: ["fail"], values: { answers: ["one", "two"] } });
  expect(shown.tasks).toMatchObject([{ name: "fail", error: "TypeError: cannot", interrupts: [] }]);
});

test("what is streamed is JSON, in every mode, and names checkpoints instead of configurations", async () => {
  const modes = ["values", "updates", "messages", "debug", "tasks", "checkpoints"];
  const secrets = {
    __switchyard_owner: "SECRET-owner",
    langgraph_auth_user_id: "SECRET-user",
    openai_api_key: "SECRET-key",
    "x-api-key": "SECRET-header",
    topic: "trains",
  };
  const seen: Record<string, unknown[]> = Object.fromEntries(modes.map((mode) => [mode, []]));
  const options = { ...config(secrets), streamMode: modes, subgraphs: true, metadata: secrets };
  for await (const chunk of await fresh().stream({ messages: [] }, options)) {
    const [, mode, data] = chunk as [string[], string, unknown];
    const json = toJson(toEventData(mode, data));
    expect(json).not.toMatch(/SECRET|__pregel_(?!pull)/);
    seen[mode]?.push(JSON.parse(json));
  }
  expect(seen.messages?.[0]).toMatchObject([{ content: "hello" }, { topic: "trains", langgraph_node: "greet" }]);
  expect(seen.checkpoints?.[2]).toMatchObject({
    checkpoint: { thread_id: "t", checkpoint_ns: "" },
    parent_checkpoint: { thread_id: "t" },
    parent_config: { configurable: { thread_id: "t" } },
    next: ["child"],
    tasks: [{ name: "child", checkpoint: { checkpoint_ns: expect.stringMatching(/^child:/) } }],
  });
  expect(seen.debug).toContainEqual(
    expect.objectContaining({ type: "checkpoint", payload: expect.objectContaining({ next: ["child"] }) }),
  );
  expect(seen.tasks).toContainEqual(
    expect.objectContaining({ name: "ask", interrupts: [], triggers: expect.anything() }),
  );
});

test("metadata shows what a client may see", () => {
  const hidden = {
    __switchyard_attempt: 1,
    langgraph_auth_user: {},
    Authorization: "x",
    cookie: "x",
    accessToken: "x",
  };
  expect(publicMetadata({ ...hidden, max_tokens: 5, token_count: 1, author: "Ada" })).toEqual({
    max_tokens: 5,
    token_count: 1,
    author: "Ada",
  });
});

test("a thread whose step was stopped between its writes and its checkpoint waits to go on", async () => {
  const checkpointer = new MemorySaver();
  const graph = new StateGraph(Annotation.Root({ done: Annotation<string> }))
    .addNode("first", () => ({ done: "first" }))
    .addNode("second", () => ({ done: "second" }))
    .addEdge(START, "first")
    .addEdge("first", "second")
    .addEdge("second", END)
    .compile({ checkpointer });
  const config = { configurable: { thread_id: "t" } };
  await graph.invoke({}, { ...config, interruptBefore: ["first"] });
  const { tasks, config: at } = await graph.getState(config);
  await checkpointer.putWrites(at, [["done", "first"]], tasks[0]?.id ?? "");

  const stopped = (await graph.getState(config)) as StateSnapshot;
  expect([stopped.values, stopped.next]).toEqual([{ done: "first" }, []]);
  expect(threadStatusOf(stopped)).toBe("interrupted");
  await graph.invoke(null, config);
  expect(threadStatusOf((await graph.getState(config)) as StateSnapshot)).toBe("idle");
});
