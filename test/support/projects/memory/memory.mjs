/** Graphs that remember across threads. */
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, END, getStore, InMemoryStore, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ place: Annotation(), name: Annotation(), known: Annotation() });

const valuesIn = async (store, place) => (await store.search(place)).map(({ key, value }) => ({ key, ...value }));

const graph = (node) => new StateGraph(State).addNode("node", node).addEdge(START, "node").addEdge("node", END);

/** Leaves a note, and ends when somebody else has left one in the same place. */
export const meet = graph(async ({ place, name }, { store, signal }) => {
  await store.put(place, name, { process: process.pid });
  for (;;) {
    const known = await valuesIn(store, place);
    if (known.length > 1) return { known };
    await delay(10, undefined, { signal });
  }
}).compile();

const inner = graph(async ({ place }) => ({ known: await valuesIn(getStore(), place) })).compile();

/** What is known at a place, told by a subgraph. */
export const recall = new StateGraph(State)
  .addNode("inner", inner)
  .addEdge(START, "inner")
  .addEdge("inner", END)
  .compile();

export const refuse = graph(async (_, { store }) => {
  await store.put(["a".repeat(2_000)], "k", {});
}).compile();

const notes = new InMemoryStore();
await notes.put(["notes"], "mine", { text: "compiled in" });

/** Has a store of its own. */
export const own = graph(async (_, { store }) => ({ known: await valuesIn(store, ["notes"]) })).compile({
  store: notes,
});
