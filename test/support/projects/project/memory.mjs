import { Annotation, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  seen: Annotation({ reducer: (known, added) => [...known, ...added], default: () => [] }),
});

/** For the tests: what this graph was compiled with. */
export const saver = new MemorySaver();

export const graph = new StateGraph(State)
  .addNode("greet", () => ({ seen: [process.env.PROJECT_GREETING ?? "nobody"] }))
  .addEdge(START, "greet")
  .addEdge("greet", END)
  .compile({ checkpointer: saver });

/** In the shape of what `createAgent` of `langchain` returns. */
export const wrapped = { graph, invoke: () => "the wrapper was called" };
