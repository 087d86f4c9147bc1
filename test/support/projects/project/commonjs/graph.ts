import { Annotation, Command, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ answer: Annotation<string> });

export const graph = new StateGraph(State)
  .addNode("first", () => new Command({ goto: "second" }), { ends: ["second"] })
  .addNode("second", ({ answer }) => ({ answer: `${answer}!` }))
  .addEdge(START, "first")
  .addEdge("second", END)
  .compile();
