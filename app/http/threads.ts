/** Threads and their states. */
import { v7 } from "uuid";
import { z } from "zod";
import type { Removals } from "../data/removal.js";
import type { ThreadRecord, Threads, ThreadTtl } from "../data/threads.js";
import { HttpError, notFound } from "./errors.js";
import { freshThread } from "./freshThread.js";
import { type Reply, type Resource, reply } from "./resource.js";
import {
  Checkpoint,
  CheckpointId,
  count,
  Id,
  JsonFilter,
  Metadata,
  optional,
  QueryFlag,
  queryCount,
  ThreadPath,
  ThreadShape,
  Ttl,
  toThreadShape,
  toTtlShape,
} from "./shapes.js";
import { SelectedStateShape, StateSelect, StateSelectQuery } from "./stateSelect.js";
import { type StateUpdates, Supersteps } from "./stateUpdates.js";
import type { ThreadStates } from "./threadStates.js";

const CheckpointPath = ThreadPath.extend({ checkpoint_id: CheckpointId });
const StateQuery = z.object({
  subgraphs: QueryFlag.default(false).describe("with the states of subgraphs in tasks"),
  select: StateSelectQuery,
});
const Include = z
  .union([z.literal("ttl"), z.array(z.literal("ttl"))], "must be ttl")
  .describe("`ttl`: with what becomes of the thread, and when");
const MISSING = { 404: "the thread does not exist" };

const BEFORE = "must be a checkpoint's id, or an object that holds one";
const HasId = z.object({ checkpoint_id: CheckpointId });
const Before = z.union([CheckpointId, HasId, z.object({ configurable: HasId })], BEFORE).transform((given) => {
  if (typeof given === "string") return given;
  return "configurable" in given ? given.configurable.checkpoint_id : given.checkpoint_id;
});

const ThreadCreate = z
  .object({
    thread_id: optional(Id),
    metadata: optional(Metadata),
    if_exists: optional(z.enum(["raise", "do_nothing"])),
    ttl: optional(Ttl),
    supersteps: optional(Supersteps),
  })
  .meta({ id: "ThreadCreate" });

export interface ThreadsDeps {
  threads: Pick<Threads, "create" | "get" | "refresh">;
  removals: Pick<Removals, "deleteThread">;
  states: ThreadStates;
  updates: StateUpdates;
  /** Of threads that are made without one. */
  threadTtl: ThreadTtl | undefined;
}

export function threadRoutes(resource: Resource, { threads, removals, states, updates, threadTtl }: ThreadsDeps): void {
  const find = async (threadId: string): Promise<ThreadRecord> => {
    const thread = await threads.get(threadId);
    if (!thread) throw notFound(`thread ${threadId}`);
    return thread;
  };

  const fresh = (thread: ThreadRecord) => freshThread({ threads, states }, thread);

  resource.post(
    "/threads",
    {
      summary: "Create a thread",
      body: ThreadCreate,
      answers: {
        200: { description: "the thread", json: ThreadShape },
        400: "supersteps are given, and no graph",
        404: "the graph of the supersteps does not exist",
        409: "a thread has this id, or one that has it is being deleted",
      },
    },
    async ({ body }) => {
      const threadId = body.thread_id ?? v7();
      const given = { threadId, metadata: body.metadata ?? {}, ttl: body.ttl ?? threadTtl };
      if (body.supersteps?.length && !(await threads.get(threadId)) && (await updates.create(given, body.supersteps)))
        return reply(toThreadShape(await find(threadId)));
      // Of a thread that exists nothing is changed, supersteps or not.
      const { thread, created } = await threads.create(given);
      if (!created && body.if_exists !== "do_nothing")
        throw new HttpError(409, `thread ${threadId} exists; send if_exists: "do_nothing" to get it`);
      return reply(toThreadShape(created ? thread : await fresh(thread)));
    },
  );

  resource.get(
    "/threads/:thread_id",
    {
      summary: "Get a thread",
      params: ThreadPath,
      query: z.object({ include: Include.optional() }),
      answers: { 200: { description: "the thread", json: ThreadShape }, ...MISSING },
    },
    async ({ params, query }) => {
      const thread = await fresh(await find(params.thread_id));
      return reply({ ...toThreadShape(thread), ...(query.include && toTtlShape(thread)) });
    },
  );

  resource.delete(
    "/threads/:thread_id",
    {
      summary: "Delete a thread with its runs and checkpoints",
      description: "Open runs end for those who follow them; their workers stop.",
      params: ThreadPath,
      answers: { 204: "nothing of it is left", ...MISSING },
    },
    async ({ params }): Promise<Reply> => {
      if (!(await removals.deleteThread(params.thread_id))) throw notFound(`thread ${params.thread_id}`);
      return { status: 204 };
    },
  );

  const stateAnswers = { 200: { description: "the state", json: SelectedStateShape } };

  resource.get(
    "/threads/:thread_id/state",
    {
      summary: "Get a thread's state",
      params: ThreadPath,
      query: StateQuery,
      answers: { ...stateAnswers, ...MISSING },
    },
    async ({ params, query }) => jsonText(await states.state(await find(params.thread_id), {}, query)),
  );

  resource.get(
    "/threads/:thread_id/state/:checkpoint_id",
    {
      summary: "Get a thread's state at a checkpoint",
      params: CheckpointPath,
      query: StateQuery,
      answers: { ...stateAnswers, 404: "the thread or the checkpoint does not exist" },
    },
    async ({ params: { thread_id, checkpoint_id }, query }) =>
      jsonText(await states.state(await find(thread_id), { checkpoint_id }, query)),
  );

  resource.post(
    "/threads/:thread_id/state/checkpoint",
    {
      summary: "Get a thread's state at a checkpoint, also of a subgraph",
      params: ThreadPath,
      body: z.object({ checkpoint: Checkpoint, subgraphs: optional(z.boolean()), select: StateSelect }),
      answers: { ...stateAnswers, 404: "the thread or the checkpoint does not exist" },
    },
    async ({ params, body }) => {
      const thread = await find(params.thread_id);
      const { checkpoint, subgraphs, select } = body;
      return jsonText(await states.state(thread, checkpoint, { subgraphs: subgraphs ?? false, select }));
    },
  );

  const historyAnswers = { 200: { description: "states", json: z.array(SelectedStateShape) }, ...MISSING };

  resource.get(
    "/threads/:thread_id/history",
    {
      summary: "List a thread's past states, newest first",
      params: ThreadPath,
      query: z.object({ limit: queryCount(1, 1_000).default(10), before: CheckpointId.optional() }),
      answers: historyAnswers,
    },
    async ({ params, query }) => jsonText(await states.history(await find(params.thread_id), query)),
  );

  resource.post(
    "/threads/:thread_id/history",
    {
      summary: "Search a thread's past states, newest first",
      params: ThreadPath,
      body: z.object({
        limit: optional(count(1, 1_000)),
        before: optional(Before),
        metadata: optional(JsonFilter),
        checkpoint: optional(Checkpoint),
        select: StateSelect,
      }),
      answers: historyAnswers,
    },
    async ({ params, body }) =>
      jsonText(await states.history(await find(params.thread_id), { ...body, limit: body.limit ?? 10 })),
  );
}

const jsonText = (json: string): Reply => ({ status: 200, json });
