import { END, interrupt, START, StateGraph } from "@langchain/langgraph";
import { State, Step } from "./parts.js";

const child = new StateGraph(State)
  .addNode(Step.Ask, () => ({ answer: interrupt({ question: "how many?" }) }))
  .addEdge(START, Step.Ask)
  .addEdge(Step.Ask, END)
  .compile();

export const graph = new StateGraph(State)
  .addNode(Step.Count, ({ count }) => ({ count: count + 1 }))
  .addNode("child", child)
  .addEdge(START, Step.Count)
  .addEdge(Step.Count, "child")
  .addEdge("child", END)
  .compile();
