/** Graphs that talk: a model's tokens, a tool, a graph within a graph. What they say is always the same. */
import { AIMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { END, MessagesValue, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { z } from "zod";

/** Streams a text by letters. */
const says = (text) => new FakeListChatModel({ responses: [text], sleep: 1 });

const Conversation = new StateSchema({ messages: MessagesValue, seen: z.record(z.string(), z.any()).optional() });

/** A model's message, then one that no model made, and what the run was given. */
export const chat = new StateGraph(Conversation, z.object({ tone: z.string().optional() }))
  .addNode("answer", async ({ messages }, config) => ({
    messages: [await says("All clear.").invoke(messages, config)],
  }))
  .addNode("sign", (_state, { context, configurable }) => ({
    messages: [new AIMessage({ id: "signature", content: "The signal box" })],
    seen: { tone: context?.tone ?? null, language: configurable?.language ?? null },
  }))
  .addEdge(START, "answer")
  .addEdge("answer", "sign")
  .addEdge("sign", END)
  .compile();

const lookUp = tool(
  async ({ train }, config) => {
    config.writer?.({ looking: train });
    return `${train} waits at track 2`;
  },
  { name: "look_up", description: "Where a train is.", schema: z.object({ train: z.string() }) },
);

export const tools = new StateGraph(Conversation)
  .addNode("ask", () => {
    const call = { name: "look_up", args: { train: "Night Mail" }, id: "call-1", type: "tool_call" };
    return { messages: [new AIMessage({ id: "asking", content: "", tool_calls: [call] })] };
  })
  .addNode("look", new ToolNode([lookUp]))
  .addEdge(START, "ask")
  .addEdge("ask", "look")
  .addEdge("look", END)
  .compile();

const Yard = z.object({ trains: z.array(z.string()).default(() => []), report: z.string().optional() });

const child = new StateGraph(Yard)
  .addNode("sort", ({ trains }, config) => {
    config.writer?.({ sorting: trains.length });
    return { trains: trains.toSorted() };
  })
  .addNode("speak", async ({ trains }, config) => {
    const { text } = await says("Sorted.").invoke(trains.join(", ") || "none", config);
    return { report: text };
  })
  .addEdge(START, "sort")
  .addEdge("sort", "speak")
  .addEdge("speak", END)
  .compile();

export const family = new StateGraph(Yard)
  .addNode("collect", ({ trains }, config) => {
    config.writer?.({ collecting: trains.length });
    return { trains: [...trains, "Mail"] };
  })
  .addNode("yard", child)
  .addNode("close", ({ report }) => ({ report: `${report} Closed.` }))
  .addEdge(START, "collect")
  .addEdge("collect", "yard")
  .addEdge("yard", "close")
  .addEdge("close", END)
  .compile();
