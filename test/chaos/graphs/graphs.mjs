/** Graphs whose state tells which run did which step, so that a step done twice, or not at all, can be seen. */
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, END, interrupt, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  steps: Annotation({ reducer: (all, more) => all.concat(more), default: () => [] }),
  count: Annotation(),
  pace_ms: Annotation(),
});

const own = (steps, config) => steps.filter((step) => step.startsWith(`${config.configurable.run_id}:`)).length;
const nextStep = (steps, config) => ({ steps: [`${config.configurable.run_id}:${own(steps, config) + 1}`] });

/** `count` steps of `pace_ms` each; it heeds its signal. */
export const count = new StateGraph(State)
  .addNode("step", async ({ steps, pace_ms = 50 }, config) => {
    await delay(pace_ms, undefined, { signal: config.signal });
    return nextStep(steps, config);
  })
  .addEdge(START, "step")
  .addConditionalEdges("step", ({ steps, count }, config) => (own(steps, config) < count ? "step" : END))
  .compile();

/** A step; a question; and a step, once there is an answer. */
export const ask = new StateGraph(State)
  .addNode("prepare", async ({ steps, pace_ms = 50 }, config) => {
    await delay(pace_ms);
    return nextStep(steps, config);
  })
  .addNode("guarded", async ({ steps, pace_ms = 50 }, config) => {
    const answer = interrupt("May I?");
    if (answer !== "yes") throw new Error("nobody said yes");
    await delay(pace_ms);
    return nextStep(steps, config);
  })
  .addEdge(START, "prepare")
  .addEdge("prepare", "guarded")
  .addEdge("guarded", END)
  .compile();

/** A step, then an error of the graph's own. */
export const throws = new StateGraph(State)
  .addNode("step", async ({ steps, pace_ms = 50 }, config) => {
    await delay(pace_ms);
    return nextStep(steps, config);
  })
  .addNode("fail", () => {
    throw new RangeError("planned");
  })
  .addEdge(START, "step")
  .addEdge("step", "fail")
  .addEdge("fail", END)
  .compile();
