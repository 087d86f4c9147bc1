/** A thread's state, written by its callers: an update of a thread's state, and a thread that is made from supersteps. */
import type { BaseStore } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { DraftTooLarge } from "../data/checkpoints/draft.js";
import type { StateDraft, StateDrafts } from "../data/stateDrafts.js";
import type { NewThread, ThreadRecord, Threads } from "../data/threads.js";
import { type Graph, type GraphConfig, type Graphs, toCommand, withCheckpointer } from "../graphs/load.js";
import { describeError } from "../graphs/serialize.js";
import { type CheckpointRef, toCheckpoint } from "../graphs/state.js";
import { isAway } from "../redis/away.js";
import { RunRefused } from "../runs/types.js";
import { stackFrames } from "../telemetry/frames.js";
import type { Log } from "../telemetry/log.js";
import { HttpError, notFound } from "./errors.js";
import { type Resource, reply } from "./resource.js";
import { Command } from "./runRequest.js";
import {
  Checkpoint,
  CheckpointId,
  type CheckpointName,
  JsonObject,
  namedCheckpoint,
  optional,
  ThreadPath,
} from "./shapes.js";
import { threadGraph } from "./threadGraphs.js";
import { configOf, refuseUnknown, toldBy } from "./threadStates.js";

const Values = z
  .union([JsonObject, z.array(z.unknown())], "must be an object, a list or null")
  .describe("as a node returns them; null copies the state");

const StateUpdate = z
  .object({
    values: optional(Values),
    as_node: optional(z.string().min(1)).describe(
      "the node that is said to have written; needed where it is ambiguous",
    ),
    checkpoint: optional(Checkpoint).describe("the checkpoint to go on from, also of a subgraph (`checkpoint_ns`)"),
    checkpoint_id: optional(CheckpointId),
  })
  .meta({ id: "ThreadStateUpdate" });

const UpdatedShape = z
  .object({
    checkpoint: JsonObject.describe("of the new state"),
    configurable: JsonObject.describe("the same, under the name that the JavaScript SDK's types have"),
  })
  .meta({ id: "ThreadStateUpdated" });

const MOST_SUPERSTEPS = 1_000;
/** LangGraph takes twice as long for each where there are twice as many. */
const MOST_UPDATES = 2_000;

/** What `POST /threads` may bring: the steps of a thread's history. */
export const Supersteps = z
  .array(
    z.object({
      updates: z
        .array(z.object({ values: optional(Values), command: optional(Command), as_node: z.string().min(1) }))
        .min(1),
    }),
  )
  .max(MOST_SUPERSTEPS, `must be at most ${MOST_SUPERSTEPS} supersteps`)
  .refine(
    (supersteps) => supersteps.reduce((sum, { updates }) => sum + updates.length, 0) <= MOST_UPDATES,
    `must have at most ${MOST_UPDATES} updates together`,
  )
  .describe("states to begin with, one a superstep; `metadata.graph_id` names their graph");

export interface StateUpdatesDeps {
  graphs: Pick<Graphs, "has" | "get"> & { runtime: Pick<Graphs["runtime"], "Command" | "Send"> };
  drafts: Pick<StateDrafts, "open" | "openNew">;
  /** What the graph's code finds as `config.store`. */
  store: BaseStore | undefined;
  log: Log;
}

/** Other writers came between: it is computed again from what they left. */
const TRIES = 3;

export class StateUpdates {
  constructor(private readonly deps: StateUpdatesDeps) {}

  /** @throws HttpError 400 without a graph, 404, 422 for what the graph refuses; RunRefused `thread_busy` */
  async update(
    thread: ThreadRecord,
    { values, as_node: asNode, ...given }: z.output<typeof StateUpdate>,
  ): Promise<CheckpointRef> {
    const wanted = namedCheckpoint(given) ?? {};
    const shared = await this.#graphOf(thread);
    for (let tried = 0; tried < TRIES; tried++) {
      const draft = await this.deps.drafts.open(thread.threadId);
      const graph = withCheckpointer(shared, draft.checkpointer, this.deps.store);
      const config = await this.#configOf(thread, wanted, draft);
      const updated = await this.#computed(graph.updateState(config, values ?? null, asNode));
      const stored = await draft.commit(await this.#told(graph, thread));
      const ref = toCheckpoint(updated);
      if (stored && ref) return ref;
    }
    throw new RunRefused("thread_busy", `thread ${thread.threadId} is busy: others write to it; try again`);
  }

  /** @returns false when a thread of this id exists: nothing was done @throws HttpError as `update` */
  async create(thread: NewThread, supersteps: z.output<typeof Supersteps>): Promise<boolean> {
    const { runtime } = this.deps.graphs;
    const draft = this.deps.drafts.openNew(thread);
    const graph = withCheckpointer(await this.#graphOf(thread), draft.checkpointer, this.deps.store);
    const steps = supersteps.map(({ updates }) => ({
      updates: updates.map(({ values = null, command, as_node: asNode }) => ({
        values: command ? toCommand(command, runtime) : values,
        asNode,
      })),
    }));
    await this.#computed(graph.bulkUpdateState(await this.#configOf(thread, {}, draft), steps));
    return await draft.commit(await this.#told(graph, thread));
  }

  async #graphOf(thread: Pick<ThreadRecord, "threadId" | "metadata">): Promise<Graph> {
    const graph = await threadGraph(this.deps.graphs, thread);
    if (graph) return graph;
    throw new HttpError(
      400,
      `thread ${thread.threadId} has no graph yet: start a run on it, or create it with metadata.graph_id`,
    );
  }

  async #configOf(
    thread: Pick<ThreadRecord, "threadId">,
    wanted: CheckpointName,
    draft: StateDraft,
  ): Promise<GraphConfig> {
    const config = configOf(thread, wanted);
    if (wanted.checkpoint_id !== undefined && !(await draft.checkpointer.getTuple(config)))
      throw notFound(`checkpoint ${wanted.checkpoint_id} of thread ${thread.threadId}`);
    return { configurable: { ...config.configurable, ...draft.writer } };
  }

  async #told(graph: Graph, thread: Pick<ThreadRecord, "threadId">) {
    return toldBy(await this.#computed(graph.getState(configOf(thread, {}))));
  }

  /** The graph's own code runs here (reducers, edges): what it throws is about what the caller sent. */
  async #computed<T>(computing: Promise<T>): Promise<T> {
    try {
      return await computing.catch(refuseUnknown);
    } catch (error) {
      if (isAway(error) || error instanceof HttpError || error instanceof RunRefused) throw error;
      if (error instanceof DraftTooLarge) throw new HttpError(413, `body: ${error.message}`);
      const { error: name, message } = describeError(error);
      const frames = name === "InvalidUpdateError" ? [] : stackFrames(error);
      this.deps.log.warn({ event: "update_refused", error: name, frames }, "a graph refused a state update");
      // LangGraph speaks of its own parameter, and adds where to read more on lines of their own.
      const reason = (message.trim().split(/\s*\n/)[0] ?? "").replaceAll('"asNode"', "as_node");
      throw new HttpError(422, `the graph refuses the update: ${name}: ${reason}`);
    }
  }
}

export interface StateUpdateRoutesDeps {
  threads: Pick<Threads, "get">;
  updates: StateUpdates;
}

export function stateUpdateRoutes(resource: Resource, { threads, updates }: StateUpdateRoutesDeps): void {
  resource.post(
    "/threads/:thread_id/state",
    {
      summary: "Write into a thread's state, without a run",
      description: "The new state goes on from the newest one, or from the checkpoint that is given.",
      params: ThreadPath,
      body: StateUpdate,
      answers: {
        200: { description: "the checkpoint of the new state", json: UpdatedShape },
        400: "the thread has no graph yet",
        404: "the thread or the checkpoint does not exist",
        409: "a run of the thread is open, or it is being deleted",
      },
    },
    async ({ params, body }) => {
      const thread = await threads.get(params.thread_id);
      if (!thread) throw notFound(`thread ${params.thread_id}`);
      const checkpoint = await updates.update(thread, body);
      return reply({ checkpoint, configurable: checkpoint });
    },
  );
}
