/** Graphs by which a test sees what became of the fields of a request. */
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, END, interrupt, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  steps: Annotation({ reducer: (all, more) => all.concat(more), default: () => [] }),
  told: Annotation(),
  gate: Annotation(),
});

/** Tells what a node is given. */
export const tell = new StateGraph(State)
  .addNode("tell", (_state, { configurable, context, tags, metadata }) => {
    const { user, thread_id, run_id, checkpoint_id } = configurable;
    return { told: { user, thread_id, run_id, checkpoint_id, context, tags, color: metadata.color } };
  })
  .addEdge(START, "tell")
  .compile();

/** Three steps, the second of which asks, or waits for an item of the store where the state names one. */
export const walk = new StateGraph(State)
  .addNode("first", () => ({ steps: ["first"] }))
  .addNode("second", async ({ gate }, { store }) => {
    if (gate === "ask") return { steps: [`second ${interrupt("which way?")}`] };
    while (gate && !(await store.get(["gates"], gate))) await delay(10);
    return { steps: ["second"] };
  })
  .addNode("third", ({ told }) => ({ steps: [told ? `third ${told}` : "third"] }))
  .addEdge(START, "first")
  .addEdge("first", "second")
  .addEdge("second", "third")
  .addEdge("third", END)
  .compile();

export const endless = new StateGraph(State)
  .addNode("step", () => ({ steps: ["again"] }))
  .addEdge(START, "step")
  .addEdge("step", "step")
  .compile();
