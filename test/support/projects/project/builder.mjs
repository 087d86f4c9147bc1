import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ count: Annotation({ reducer: (_, next) => next, default: () => 0 }) });

export default new StateGraph(State)
  .addNode("double", ({ count }) => ({ count: count * 2 }))
  .addEdge(START, "double")
  .addEdge("double", END);
