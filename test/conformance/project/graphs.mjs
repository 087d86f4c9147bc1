/** Graphs whose answers are known to the letter. */
import { setTimeout as delay } from "node:timers/promises";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { Annotation, END, interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";

const concat = { reducer: (all, more) => all.concat(more), default: () => [] };
const Items = Annotation.Root({ items: Annotation(concat), topic: Annotation() });
const add = (item) => () => ({ items: [item] });

/** Adds `first`, then `second`. */
export const steps = new StateGraph(Items)
  .addNode("first", add("first"))
  .addNode("second", add("second"))
  .addEdge(START, "first")
  .addEdge("first", "second")
  .addEdge("second", END)
  .compile();

/** Asks a human, and adds what was answered. */
export const asks = new StateGraph(Items)
  .addNode("ask", ({ topic }) => ({ items: [`answered ${interrupt({ question: `May I ${topic}?` })}`] }))
  .addEdge(START, "ask")
  .addEdge("ask", END)
  .compile();

const child = new StateGraph(Items)
  .addNode("inner", ({ topic }) => ({ items: [`inner ${topic === "ask" ? interrupt("Which?") : topic}`] }))
  .addNode("close", add("closed"))
  .addEdge(START, "inner")
  .addEdge("inner", "close")
  .addEdge("close", END)
  .compile();

/** A subgraph, which asks for the topic `ask`; then a step. */
export const family = new StateGraph(Annotation.Root({ items: Annotation(), topic: Annotation() }))
  .addNode("child", child)
  .addNode("after", ({ items }) => ({ items: [...items, "after"] }))
  .addEdge(START, "child")
  .addEdge("child", "after")
  .addEdge("after", END)
  .compile();

/** A step, then an error. */
export const fails = new StateGraph(Items)
  .addNode("first", add("first"))
  .addNode("fail", () => {
    throw new RangeError("planned");
  })
  .addEdge(START, "first")
  .addEdge("first", "fail")
  .addEdge("fail", END)
  .compile();

/** `count` custom events, `pace_ms` after one another. */
export const ticks = new StateGraph(
  Annotation.Root({ items: Annotation(concat), count: Annotation(), pace_ms: Annotation() }),
)
  .addNode("tick", async ({ count, pace_ms = 1 }, { writer, signal }) => {
    for (let tick = 1; tick <= count; tick++) {
      writer?.({ tick });
      await delay(pace_ms, undefined, { signal });
    }
    return { items: [`${count} ticks`] };
  })
  .addEdge(START, "tick")
  .addEdge("tick", END)
  .compile();

/** A model that says `Hello`, a letter at a time. */
export const speaks = new StateGraph(MessagesAnnotation)
  .addNode("speak", async ({ messages }, config) => {
    const model = new FakeListChatModel({ responses: ["Hello"] });
    return { messages: [await model.invoke(messages, config)] };
  })
  .addEdge(START, "speak")
  .addEdge("speak", END)
  .compile();

/** Leaves the topic in the store, and tells what is there. */
export const notes = new StateGraph(Items)
  .addNode("note", async ({ topic }, { store }) => {
    await store.put(["notes", topic], "last", { topic });
    return { items: (await store.search(["notes", topic])).map(({ key, value }) => ({ key, ...value })) };
  })
  .addEdge(START, "note")
  .addEdge("note", END)
  .compile();

/** What the node was told of the run's configuration. */
export const told = new StateGraph(
  z.object({ topic: z.string().optional(), told: z.record(z.string(), z.any()).optional() }),
  z.object({ user: z.string().optional() }),
)
  .addNode("tell", (_, { configurable, context, tags }) => ({
    told: { flavor: configurable?.flavor ?? null, user: context?.user ?? null, tags: tags ?? [] },
  }))
  .addEdge(START, "tell")
  .addEdge("tell", END)
  .compile();
