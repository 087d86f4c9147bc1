/**
 * Answers a question from a small library, and shows what graphs are made of: a plan, a loop with tools, and a subgraph.
 *
 *   plan ─▶ search ─▶ tools ─▶ study (subgraph: open ─▶ note) ─┬─▶ report
 *             ▲                                                │
 *             └───────────── while the plan has more ──────────┘
 *
 * It needs no model and no key: the plan is made of the question's own parts, at most three, so the loop always ends
 * within LangGraph's recursion limit.
 */
import { randomUUID } from "node:crypto";
import { AIMessage, ToolMessage } from "@langchain/core/messages";
import { Annotation, END, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { z } from "zod";
import { readArticle, searchLibrary, TITLES } from "./library.js";
import { Conversation, lastText } from "./messages.js";

const MOST_QUERIES = 3;

interface Note {
  source: string;
  title: string;
  text: string;
}

/** Articles are noted once, whichever query found them. */
const notes = Annotation<Note[]>({
  reducer: (known, added) => [...known, ...added.filter(({ source }) => !known.some((note) => note.source === source))],
  default: () => [],
});

const State = Annotation.Root({
  ...Conversation.spec,
  /** Still to be looked up. */
  queries: Annotation<string[]>,
  notes,
});

const StudyState = Annotation.Root({ ...Conversation.spec, notes, articles: Annotation<Note[]> });

const Found = z.object({ found: z.array(z.string()) });

async function open({ messages }: typeof StudyState.State, config: LangGraphRunnableConfig) {
  const found = messages.findLast((message) => message instanceof ToolMessage);
  const ids = Found.parse(JSON.parse(found?.text ?? "null")).found;
  const articles = await Promise.all(ids.map((id) => readArticle.invoke({ id }, config)));
  return { articles: articles.flatMap((article) => (article ? [{ ...article, source: article.id }] : [])) };
}

function note({ articles }: typeof StudyState.State) {
  const firstSentence = (text: string) => text.slice(0, text.indexOf(". ") + 1) || text;
  return { notes: articles.map(({ source, title, text }) => ({ source, title, text: firstSentence(text) })) };
}

const study = new StateGraph(StudyState)
  .addNode("open", open)
  .addNode("note", note)
  .addEdge(START, "open")
  .addEdge("open", "note")
  .addEdge("note", END)
  .compile();

function plan({ messages }: typeof State.State) {
  const parts = lastText(messages).split(/,|;|\?|\band\b/i);
  const queries = parts.map((part) => part.trim()).filter(Boolean);
  const chosen = [...new Set(queries)].slice(0, MOST_QUERIES);
  return { queries: chosen, messages: [new AIMessage(`I will look up: ${chosen.join("; ")}.`)] };
}

function search({ queries: [query = "", ...rest] }: typeof State.State) {
  const call = { name: searchLibrary.name, args: { query }, id: randomUUID(), type: "tool_call" as const };
  return { queries: rest, messages: [new AIMessage({ content: "", tool_calls: [call] })] };
}

function report({ notes: found }: typeof State.State) {
  const lines = found.map(({ text, title }, index) => `${text} [${index + 1}: ${title}]`);
  const text = lines.length > 0 ? lines.join("\n") : `I found nothing. The library is about: ${TITLES.join("; ")}.`;
  return { messages: [new AIMessage(text)] };
}

export const graph = new StateGraph(State)
  .addNode("plan", plan)
  .addNode("search", search)
  .addNode("tools", new ToolNode([searchLibrary]))
  .addNode("study", study)
  .addNode("report", report)
  .addEdge(START, "plan")
  .addEdge("plan", "search")
  .addEdge("search", "tools")
  .addEdge("tools", "study")
  .addConditionalEdges("study", (state) => (state.queries.length > 0 ? "search" : "report"), ["search", "report"])
  .addEdge("report", END)
  .compile();
