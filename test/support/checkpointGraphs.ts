/** Graphs that use all of a checkpoint saver, for any copy of LangGraph, and what can be seen of a thread afterwards. */
import type * as LangGraph from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { Config } from "./checkpoints.js";

type Copy = typeof LangGraph;
export type Durability = "sync" | "async" | "exit";

/** What a server and a worker use of a compiled graph. */
export interface TestGraph {
  invoke(input: unknown, config: Config & { durability?: Durability }): Promise<Record<string, unknown>>;
  getState(config: Config, options?: { subgraphs?: boolean }): Promise<Snapshot>;
  getStateHistory(config: Config, options?: { filter?: Record<string, unknown> }): AsyncIterable<Snapshot>;
  updateState(config: Config, values: unknown, asNode?: string): Promise<Config>;
}

/** Sends two tasks at once, asks twice in one node of a subgraph, and holds text, bytes and a set. */
export function interview(lg: Copy, checkpointer: BaseCheckpointSaver): TestGraph {
  const State = lg.Annotation.Root({
    log: lg.Annotation<string[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
    topic: lg.Annotation<string>,
    photo: lg.Annotation<{ bytes: Uint8Array }>,
    tags: lg.Annotation<Set<string>>,
  });
  const questions = new lg.StateGraph(State)
    .addNode("greet", () => ({ log: ["greeted"] }))
    .addNode("ask", ({ topic }) => {
      const name = lg.interrupt<string, string>(`who writes about ${topic}?`);
      const year = lg.interrupt<string, string>(`since when, ${name}?`);
      return { log: [`${name} since ${year}`], tags: new Set([name, year]) };
    })
    .addEdge(lg.START, "greet")
    .addEdge("greet", "ask")
    .compile();
  return new lg.StateGraph(State)
    .addNode("plan", () => ({
      log: ["planned"],
      photo: { bytes: Uint8Array.from({ length: 256 }, (_, byte) => byte) },
    }))
    .addNode("research", (input: { part: string }) => ({ log: [`researched ${input.part}`] }))
    .addNode("questions", questions)
    .addNode("close", ({ log, photo }) => ({ log: [`closed after ${log.length} with ${photo.bytes.length} bytes`] }))
    .addEdge(lg.START, "plan")
    .addConditionalEdges("plan", () => ["b", "a"].map((part) => new lg.Send("research", { part })), ["research"])
    .addEdge("research", "questions")
    .addEdge("questions", "close")
    .compile({ checkpointer });
}

/** Counts in a channel that is stored as deltas, with a snapshot every fourth time. */
export function counter(lg: Copy, checkpointer: BaseCheckpointSaver): TestGraph {
  const append = (all: string[] | undefined, more: unknown[]) => [...(all ?? []), ...more.flat().map(String)];
  const State = lg.Annotation.Root({
    log: () => new lg.DeltaChannel<string[], string[]>(append, { snapshotFrequency: 4 }),
    count: lg.Annotation<number>,
  });
  return new lg.StateGraph(State)
    .addNode("step", ({ count }) => ({ log: [`step ${count}`], count: count + 1 }))
    .addEdge(lg.START, "step")
    .addConditionalEdges("step", ({ count }) => (count % 10 === 0 ? lg.END : "step"), ["step", lg.END])
    .compile({ checkpointer });
}

interface Snapshot {
  values: Record<string, unknown>;
  next: string[];
  config: Config;
  metadata?: { source?: string; step?: number } | undefined;
  tasks: { name: string; error?: unknown; interrupts: { value?: unknown }[]; state?: unknown }[];
}

/** A snapshot without its ids and times. */
export function seen({ values, next, metadata, tasks }: Snapshot): unknown {
  return {
    values,
    next,
    metadata: { source: metadata?.source, step: metadata?.step },
    tasks: tasks.map(({ name, error, interrupts, state }) => ({
      name,
      error,
      interrupts: interrupts.map(({ value }) => value),
      state: state && typeof state === "object" && "values" in state ? seen(state as Snapshot) : undefined,
    })),
  };
}

/** Everything that a client can see of a thread: its state with subgraphs, and its history. */
export async function transcript(graph: TestGraph, config: Config): Promise<unknown> {
  const state = await graph.getState(config, { subgraphs: true });
  const history = await all(graph.getStateHistory(config));
  return { state: seen(state), history: history.map(seen) };
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
