/** Graphs that do what nodes should not. */
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  steps: Annotation({ reducer: (all, more) => all.concat(more), default: () => [] }),
  pace_ms: Annotation(),
});

const graphOf = (node) =>
  new StateGraph(State).addNode("step", node).addEdge(START, "step").addEdge("step", END).compile();

/** Blocks the event loop for `pace_ms`, in a process that is told so. */
export const blocks = graphOf(async ({ pace_ms }) => {
  // Others that were claimed at the same time have begun.
  await delay(300);
  if (process.env.BLOCKS === "true") {
    process.stdout.write("blocking\n");
    const until = performance.now() + pace_ms;
    while (performance.now() < until);
  }
  return { steps: [`1 by ${process.pid}`] };
});

/** Takes `pace_ms`, and does not listen to its signal. */
export const deaf = graphOf(async ({ pace_ms }) => {
  process.stdout.write("not listening\n");
  await delay(pace_ms);
  return { steps: [`1 by ${process.pid}`] };
});

/** Throws where nobody catches, in a process that is told so. */
export const bomb = graphOf(async () => {
  if (process.env.EXPLODES === "true") setTimeout(() => fuse(), 1000);
  await delay(1500);
  return { steps: [`1 by ${process.pid}`] };
});

function fuse() {
  throw new RangeError("what the user said, which nobody may log");
}
