/** Graphs that work: steps that can be read off their state, questions to a human, failures, a store, and time that passes. */
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, Command, END, interrupt, START, StateGraph } from "@langchain/langgraph";
import { registry } from "@langchain/langgraph/zod";
import { z } from "zod";

const Steps = z.object({
  steps: z
    .array(z.string())
    .default(() => [])
    .register(registry, { reducer: { fn: (all, more) => all.concat(more) } }),
  again: z.boolean().optional(),
});

const does = (name) => () => ({ steps: [name] });

/** a, b, c; and c leads to a again where the input says so. */
export const steps = new StateGraph(Steps)
  .addNode("a", does("a"))
  .addNode("b", does("b"))
  .addNode("c", does("c"))
  .addEdge(START, "a")
  .addEdge("a", "b")
  .addEdge("b", "c")
  .addConditionalEdges("c", ({ again }) => (again ? "a" : END), ["a", END])
  .compile();

/** Two questions in one node. */
export const approval = new StateGraph(Steps)
  .addNode("draft", does("draft"))
  .addNode(
    "review",
    () => {
      const first = interrupt({ question: "send it?" });
      const second = interrupt({ question: "to whom?", first });
      return new Command({ goto: "send", update: { steps: [`${first} ${second}`] } });
    },
    { ends: ["send"] },
  )
  .addNode("send", does("send"))
  .addEdge(START, "draft")
  .addEdge("draft", "review")
  .addEdge("send", END)
  .compile();

export const broken = new StateGraph(Steps)
  .addNode("a", does("a"))
  .addNode("stuck", () => {
    throw new RangeError("the points are stuck");
  })
  .addEdge(START, "a")
  .addEdge("a", "stuck")
  .addEdge("stuck", END)
  .compile();

const Note = Annotation.Root({ shelf: Annotation(), note: Annotation(), found: Annotation() });

/** Puts the note on the shelf, and says what lies there. */
export const keeper = new StateGraph(Note)
  .addNode("keep", async ({ shelf, note }, { store }) => {
    await store.put(["shelves", shelf], "note", { note });
    const items = await store.search(["shelves", shelf]);
    return { found: items.map(({ key, value }) => ({ key, value })) };
  })
  .addEdge(START, "keep")
  .addEdge("keep", END)
  .compile();

/** Says that it has begun, then waits so long or until it is stopped. */
export const slow = new StateGraph(Annotation.Root({ ms: Annotation(), begun: Annotation(), done: Annotation() }))
  .addNode("begin", () => ({ begun: true }))
  .addNode("wait", async ({ ms }, { signal }) => {
    await delay(ms, undefined, { signal });
    return { done: true };
  })
  .addEdge(START, "begin")
  .addEdge("begin", "wait")
  .addEdge("wait", END)
  .compile();
