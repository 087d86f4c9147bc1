/** A thread's states, read by the graph of its runs from the checkpoints, and written as the API shows them. */
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { ThreadRecord, ThreadState } from "../data/threads.js";
import { type Graph, type GraphConfig, type Graphs, type StateSnapshot, withCheckpointer } from "../graphs/load.js";
import { toJson } from "../graphs/serialize.js";
import { interruptsOf, threadStatusOf, toThreadState } from "../graphs/state.js";
import { isAway } from "../redis/away.js";
import { stackFrames } from "../telemetry/frames.js";
import type { Log } from "../telemetry/log.js";
import { HttpError, notFound } from "./errors.js";
import type { CheckpointName } from "./shapes.js";
import { selectState } from "./stateSelect.js";
import { threadGraph } from "./threadGraphs.js";

export interface HistoryPage {
  limit: number;
  /** A checkpoint's id; older ones are answered. */
  before?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
  checkpoint?: CheckpointName | undefined;
  /** Only these parts of each; all without it. */
  select?: readonly string[] | undefined;
}

export interface StateOptions {
  subgraphs: boolean;
  /** Only these parts; all without it. */
  select?: readonly string[] | undefined;
}

/** What thread routes and streams ask for, as JSON text. */
export interface ThreadStates {
  /** @throws HttpError 404 when the wanted checkpoint does not exist */
  state(thread: ThreadRecord, wanted: CheckpointName, options: StateOptions): Promise<string>;
  /** Whether a checkpoint is there. */
  has(threadId: string, wanted: CheckpointName): Promise<boolean>;
  /** Newest first. */
  history(thread: ThreadRecord, page: HistoryPage): Promise<string>;
  /** What the newest checkpoint tells; undefined where this server can't read it. */
  newest(thread: ThreadRecord): Promise<ThreadState | undefined>;
}

export interface StateDeps {
  graphs: Pick<Graphs, "has" | "get">;
  checkpointer: BaseCheckpointSaver;
  log: Log;
}

export function createThreadStates({ graphs, checkpointer, log }: StateDeps): ThreadStates {
  const graphOf = async (thread: ThreadRecord): Promise<Graph | undefined> => {
    const graph = await threadGraph(graphs, thread);
    return graph && withCheckpointer(graph, checkpointer);
  };

  /**
   * What a run left half done, its input among it, is put through the graph's reducers. One of them may refuse it, which is
   * why the run failed: the newest checkpoint is then told as it is stored.
   */
  const readState = async (graph: Graph, config: GraphConfig, options?: { subgraphs?: boolean }) => {
    try {
      return await graph.getState(config, options);
    } catch (error) {
      if (isAway(error) || config.configurable?.checkpoint_id !== undefined) throw error;
      const newest = (await checkpointer.getTuple(config))?.config.configurable?.checkpoint_id;
      if (newest === undefined) throw error;
      return await graph.getState({ configurable: { ...config.configurable, checkpoint_id: newest } }, options);
    }
  };

  return {
    async state(thread, wanted, { subgraphs, select }) {
      const graph = await graphOf(thread);
      const snapshot =
        (graph && (await readState(graph, configOf(thread, wanted), { subgraphs }).catch(refuseUnknown))) ?? NO_STATE;
      if (wanted.checkpoint_id !== undefined && snapshot.createdAt === undefined)
        throw notFound(`checkpoint ${wanted.checkpoint_id} of thread ${thread.threadId}`);
      return toJson(selectState(toThreadState(snapshot), select));
    },

    has: async (threadId, wanted) => (await checkpointer.getTuple(configOf({ threadId }, wanted))) !== undefined,

    async history(thread, { limit, before, metadata, checkpoint = {}, select }) {
      const graph = await graphOf(thread);
      if (!graph) return "[]";
      const options = {
        limit,
        ...(before !== undefined && { before: configOf(thread, { checkpoint_id: before }) }),
        ...(metadata && { filter: metadata }),
      };
      const states: string[] = [];
      let bytes = 0;
      for await (const snapshot of graph.getStateHistory(configOf(thread, checkpoint), options)) {
        const state = toJson(selectState(toThreadState(snapshot), select));
        bytes += state.length;
        if (bytes > MOST_HISTORY_BYTES) throw new HttpError(422, TOO_LARGE);
        states.push(state);
      }
      return `[${states.join(",")}]`;
    },

    async newest(thread) {
      try {
        const graph = await graphOf(thread);
        const snapshot = graph && (await readState(graph, configOf(thread, {})));
        return snapshot && toldBy(snapshot);
      } catch (error) {
        // The thread is shown all the same; a server that has its graph will read it.
        if (isAway(error)) throw error;
        const { threadId } = thread;
        const reason = error instanceof Error ? error.name : typeof error;
        log.warn({ event: "state_unreadable", threadId, reason, frames: stackFrames(error) }, "a state can't be read");
        return undefined;
      }
    },
  };
}

/** Of one page. */
const MOST_HISTORY_BYTES = 64 * 1024 * 1024;
const TOO_LARGE =
  `limit: the states take more than ${MOST_HISTORY_BYTES / 1024 / 1024} MiB together: ask for fewer at once, or leave ` +
  "values out with select";

const NO_STATE: StateSnapshot = { values: {}, next: [], tasks: [], config: {} };

/** What a thread whose newest state this is shows. */
export function toldBy(snapshot: StateSnapshot): ThreadState {
  const valuesJson = snapshot.createdAt === undefined ? "null" : toJson(snapshot.values);
  return { valuesJson, interruptsJson: toJson(interruptsOf(snapshot)), status: threadStatusOf(snapshot) };
}

/** LangGraph says so of a namespace that leads to none of the graph's subgraphs. @throws HttpError 404 for it */
export function refuseUnknown(error: unknown): never {
  if (error instanceof Error && /^Subgraph ".*" not found$/.test(error.message))
    throw new HttpError(404, `the graph has no subgraph at this checkpoint_ns: ${error.message}`);
  throw error;
}

export function configOf(
  { threadId }: Pick<ThreadRecord, "threadId">,
  { checkpoint_ns = "", checkpoint_id, checkpoint_map }: CheckpointName,
) {
  return {
    configurable: {
      thread_id: threadId,
      checkpoint_ns,
      ...(checkpoint_id !== undefined && { checkpoint_id }),
      ...(checkpoint_map && { checkpoint_map }),
    },
  };
}
