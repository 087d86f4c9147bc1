/** The small library that `research` reads, and the two tools over it. */
import { tool } from "@langchain/core/tools";
import { z } from "zod";

interface Article {
  id: string;
  title: string;
  text: string;
}

const ARTICLES: Article[] = [
  {
    id: "threads",
    title: "Threads",
    text: "A thread is a conversation that is kept: its state is the sum of all runs on it. At most one run of a thread is at work at a time, and those behind it start in the order in which they came.",
  },
  {
    id: "runs",
    title: "Runs and attempts",
    text: "A run is one execution of an assistant, with or without a thread. If its worker dies, another one takes the run over from its last checkpoint, as the next attempt.",
  },
  {
    id: "checkpoints",
    title: "Checkpoints",
    text: "A checkpoint is the state of a graph after a superstep. From a checkpoint a run can be resumed, inspected, or forked into another future.",
  },
  {
    id: "interrupts",
    title: "Interrupts and human approval",
    text: "An interrupt stops a graph until a human answers. The question is stored in the thread, so the answer may come days later and through any server.",
  },
  {
    id: "streams",
    title: "Streams and reconnection",
    text: "Every event of a run has an id and is stored before it is sent. A client that lost its connection names the last id it saw and misses nothing.",
  },
  {
    id: "redis",
    title: "Redis and PubSub",
    text: "Servers and workers coordinate through Redis alone. PubSub makes events live, and the stream of each run is the truth that gaps are repaired from.",
  },
  {
    id: "workers",
    title: "Workers and leases",
    text: "A worker holds a lease on each run that it executes and renews it with a heartbeat. A lease that runs out hands the run to another worker, and nothing the first one writes afterwards is accepted.",
  },
  {
    id: "scaling",
    title: "Servers, load balancers and scaling",
    text: "Servers keep no state, so a load balancer may send each request to any of them and no session sticks. Capacity grows by adding workers, each with a fixed number of slots.",
  },
];

export const TITLES = ARTICLES.map(({ title }) => title);

export const searchLibrary = tool(({ query }) => ({ found: articlesAbout(query).map(({ id }) => id) }), {
  name: "search_library",
  description: "The ids of the articles about a subject, {found: []}: at most two, the best match first.",
  schema: z.object({ query: z.string() }),
});

export const readArticle = tool(({ id }) => ARTICLES.find((article) => article.id === id) ?? null, {
  name: "read_article",
  description: "An article of the library: id, title and text.",
  schema: z.object({ id: z.string() }),
});

/** Counts the words that query and article share; a word in the title counts for four. */
function articlesAbout(query: string): Article[] {
  const wanted = wordsOf(query);
  const scored = ARTICLES.map((article) => ({
    article,
    score: 4 * shared(wanted, wordsOf(article.title)) + shared(wanted, wordsOf(article.text)),
  }));
  return scored
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score)
    .slice(0, 2)
    .map(({ article }) => article);
}

function shared(wanted: Set<string>, words: Set<string>): number {
  return [...wanted].filter((word) => words.has(word)).length;
}

/** Words of four letters and more, without a plural's s. */
function wordsOf(text: string): Set<string> {
  return new Set((text.toLowerCase().match(/[a-z]{4,}/g) ?? []).map((word) => word.replace(/s$/, "")));
}
