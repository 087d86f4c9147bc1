/** The smallest agent: it answers with what it was told. */
import { AIMessage } from "@langchain/core/messages";
import { END, START, StateGraph } from "@langchain/langgraph";
import { Conversation, lastText } from "./messages.js";

export const graph = new StateGraph(Conversation)
  .addNode("echo", ({ messages }) => ({ messages: [new AIMessage(lastText(messages))] }))
  .addEdge(START, "echo")
  .addEdge("echo", END)
  .compile();
