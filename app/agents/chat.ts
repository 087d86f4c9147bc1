/**
 * Talks to a model of OpenAI's, or of any provider that speaks its API (`OPENAI_BASE_URL`). Needs OPENAI_API_KEY; without
 * it the agent says so. The provider's library is imported at the first message, so a worker that never chats doesn't
 * hold it in memory.
 */
import { AIMessage } from "@langchain/core/messages";
import { END, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { Conversation, lastText } from "./messages.js";

const DEFAULT_MODEL = "gpt-4o-mini";

async function answer({ messages }: typeof Conversation.State, config: LangGraphRunnableConfig) {
  lastText(messages);
  const apiKey = process.env.OPENAI_API_KEY;
  if (!apiKey) return { messages: [new AIMessage(MISSING_KEY)] };
  const { ChatOpenAI } = await import("@langchain/openai");
  const model = new ChatOpenAI({ apiKey, model: modelName(config.configurable?.model) });
  return { messages: [await model.invoke(messages, config)] };
}

const MISSING_KEY =
  "I can't answer yet: set OPENAI_API_KEY in the environment of the workers and start again. (OPENAI_MODEL chooses the " +
  "model, OPENAI_BASE_URL another provider with the same API.) The agents echo, writer, approval and research need no key.";

function modelName(given: unknown): string {
  if (given === undefined) return process.env.OPENAI_MODEL || DEFAULT_MODEL;
  if (typeof given === "string" && given) return given;
  throw new Error(`configurable.model must be the name of a model, such as "${DEFAULT_MODEL}"`);
}

export const graph = new StateGraph(Conversation)
  .addNode("answer", answer)
  .addEdge(START, "answer")
  .addEdge("answer", END)
  .compile();
