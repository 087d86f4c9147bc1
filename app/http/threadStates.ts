/** A thread's states, read by the graph of its runs from the checkpoints, and written as the API shows them. */
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { ThreadRecord, ThreadState } from "../data/threads.js";
import { type Graph, type Graphs, type StateSnapshot, withCheckpointer } from "../graphs/load.js";
import { toJson } from "../graphs/serialize.js";
import { interruptsOf, threadStatusOf, toThreadState } from "../graphs/state.js";
import { isAway } from "../redis/away.js";
import { HttpError, notFound } from "./errors.js";

/** Which checkpoint; without an id the newest of its namespace. */
export interface CheckpointChoice {
  checkpoint_id?: string | undefined;
  /** `""` is the root graph's. */
  checkpoint_ns?: string | undefined;
  checkpoint_map?: Record<string, unknown> | undefined;
}

export interface HistoryPage {
  limit: number;
  /** A checkpoint's id; older ones are answered. */
  before?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
  checkpoint?: CheckpointChoice | undefined;
}

/** What thread routes and streams ask for, as JSON text. */
export interface ThreadStates {
  /** @throws HttpError 404 when the wanted checkpoint does not exist */
  state(thread: ThreadRecord, wanted: CheckpointChoice, options: { subgraphs: boolean }): Promise<string>;
  /** Newest first. */
  history(thread: ThreadRecord, page: HistoryPage): Promise<string>;
  /** What the newest checkpoint tells; undefined where this server can't read it. */
  newest(thread: ThreadRecord): Promise<ThreadState | undefined>;
}

export interface StateDeps {
  graphs: Pick<Graphs, "has" | "get">;
  checkpointer: BaseCheckpointSaver;
}

export function createThreadStates({ graphs, checkpointer }: StateDeps): ThreadStates {
  /** Undefined for a thread that no run has given a graph. */
  const graphOf = async ({ threadId, metadata }: ThreadRecord): Promise<Graph | undefined> => {
    const id = metadata.graph_id;
    if (typeof id !== "string") return undefined;
    if (!graphs.has(id)) throw new HttpError(404, `graph ${id}, of thread ${threadId}, is not in langgraph.json`);
    const config = { configurable: { thread_id: threadId, graph_id: id } };
    const graph = await graphs.get(id, config).catch((cause: unknown) => {
      throw new HttpError(500, `graph ${id} could not be made: its factory failed`, {}, cause);
    });
    return withCheckpointer(graph, checkpointer);
  };

  return {
    async state(thread, wanted, options) {
      const graph = await graphOf(thread);
      const config = configOf(thread, wanted);
      const snapshot = (await graph?.getState(config, options)) ?? NO_STATE;
      if (wanted.checkpoint_id !== undefined && snapshot.createdAt === undefined)
        throw notFound(`checkpoint ${wanted.checkpoint_id} of thread ${thread.threadId}`);
      return toJson(toThreadState(snapshot));
    },

    async history(thread, { limit, before, metadata, checkpoint = {} }) {
      const graph = await graphOf(thread);
      if (!graph) return "[]";
      const options = {
        limit,
        ...(before !== undefined && { before: configOf(thread, { checkpoint_id: before }) }),
        ...(metadata && { filter: metadata }),
      };
      const states: string[] = [];
      for await (const snapshot of graph.getStateHistory(configOf(thread, checkpoint), options))
        states.push(toJson(toThreadState(snapshot)));
      return `[${states.join(",")}]`;
    },

    async newest(thread) {
      try {
        const snapshot = await (await graphOf(thread))?.getState(configOf(thread, {}));
        if (!snapshot) return undefined;
        const valuesJson = snapshot.createdAt === undefined ? "null" : toJson(snapshot.values);
        return { valuesJson, interruptsJson: toJson(interruptsOf(snapshot)), status: threadStatusOf(snapshot) };
      } catch (error) {
        // The thread is shown all the same; a server that has its graph will read it.
        if (isAway(error)) throw error;
        return undefined;
      }
    },
  };
}

const NO_STATE: StateSnapshot = { values: {}, next: [], tasks: [], config: {} };

function configOf({ threadId }: ThreadRecord, { checkpoint_ns = "", checkpoint_id, checkpoint_map }: CheckpointChoice) {
  return {
    configurable: {
      thread_id: threadId,
      checkpoint_ns,
      ...(checkpoint_id !== undefined && { checkpoint_id }),
      ...(checkpoint_map && { checkpoint_map }),
    },
  };
}
