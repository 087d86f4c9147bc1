/** The graph of a thread: that of its latest run, or the one that its metadata names. */
import type { ThreadRecord } from "../data/threads.js";
import type { Graph, Graphs } from "../graphs/load.js";
import { HttpError } from "./errors.js";

/**
 * @returns undefined for a thread that has none yet
 * @throws HttpError 404 where this server's project has no such graph, 500 where its factory fails
 */
export async function threadGraph(
  graphs: Pick<Graphs, "has" | "get">,
  { threadId, metadata }: Pick<ThreadRecord, "threadId" | "metadata">,
): Promise<Graph | undefined> {
  const id = metadata.graph_id;
  if (typeof id !== "string") return undefined;
  if (!graphs.has(id)) throw new HttpError(404, `graph ${id}, of thread ${threadId}, is not in langgraph.json`);
  const config = { configurable: { thread_id: threadId, graph_id: id } };
  return await graphs.get(id, config).catch((cause: unknown) => {
    throw new HttpError(500, `graph ${id} could not be made: its factory failed`, {}, cause);
  });
}
