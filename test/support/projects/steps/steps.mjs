/** Graphs whose course a test can read off their state: who did which step. */
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  steps: Annotation({ reducer: (all, more) => all.concat(more), default: () => [] }),
  pace_ms: Annotation(),
});

/** Ten steps of `pace_ms` each; every one notes its number and the process that did it. */
export const steps = new StateGraph(State)
  .addNode("step", async ({ steps, pace_ms = 100 }) => {
    await delay(pace_ms);
    return { steps: [`${steps.length + 1} by ${process.pid}`] };
  })
  .addEdge(START, "step")
  .addConditionalEdges("step", ({ steps }) => (steps.length < 10 ? "step" : END))
  .compile();

/** One step that takes `pace_ms` and does not listen to its signal. */
export const deaf = new StateGraph(State)
  .addNode("step", async ({ pace_ms = 1000 }) => {
    await delay(pace_ms);
    return { steps: ["done"] };
  })
  .addEdge(START, "step")
  .addEdge("step", END)
  .compile();

/** Streams `events` custom events of `bytes` bytes each. */
export const flood = new StateGraph(Annotation.Root({ events: Annotation(), bytes: Annotation() }))
  .addNode("flood", async ({ events, bytes }, config) => {
    for (let event = 0; event < events; event++) {
      config.writer("x".repeat(bytes));
      await delay(1);
    }
    return {};
  })
  .addEdge(START, "flood")
  .addEdge("flood", END)
  .compile();
