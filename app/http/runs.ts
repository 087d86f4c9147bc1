/** Runs on a thread. */
import type { Request } from "express";
import { z } from "zod";
import type { Assistants } from "../data/assistants.js";
import type { Removals } from "../data/removal.js";
import type { Threads } from "../data/threads.js";
import { takenHeaders } from "./configurableHeaders.js";
import { notFound } from "./errors.js";
import { type Reply, type Resource, reply } from "./resource.js";
import type { RunAnswers, RunId, RunsCore } from "./runAnswers.js";
import { beginsFrom, CreateHeaders, type RunTarget, ThreadRunBody, toNewRun } from "./runRequest.js";
import {
  QueryFlag,
  queryCount,
  queryNamesOf,
  RunPath,
  RunShape,
  RunStatus,
  STREAM_MODES,
  ThreadPath,
  toRunShape,
} from "./shapes.js";
import { LastEventId, searchOf, wantsAll, wantsModes } from "./sse.js";
import type { ThreadStates } from "./threadStates.js";

export const idOf = (path: z.output<typeof RunPath>): RunId => ({ threadId: path.thread_id, runId: path.run_id });

const REFUSED = {
  404: "the thread, the assistant or the checkpoint does not exist",
  409: "the thread is busy or being deleted, or the Idempotency-Key was used for another request",
};
export const RUN_PLACE = {
  "Content-Location": "the run: `/threads/{thread_id}/runs/{run_id}`, without the thread for a stateless run",
};
export const RUN_HEADERS = {
  ...RUN_PLACE,
  Location: "where a client that was cut goes on",
};
const MISSING = { 404: "the thread or the run does not exist" };

/** What a join of a stream may say. */
export const JoinQuery = z.object({
  stream_mode: queryNamesOf(STREAM_MODES).describe("only the events of these modes; may be repeated"),
  cancel_on_disconnect: QueryFlag.default(false),
});
export const JoinHeaders = z.object({
  "last-event-id": LastEventId.describe(
    "the last id that the client has, `-1` for the run's first event on; where that is gone, `metadata` and one `values` " +
      "with the current state come first, then what is new",
  ),
});

export interface RunsDeps {
  runs: RunsCore;
  threads: Pick<Threads, "get">;
  removals: Pick<Removals, "deleteRun">;
  assistants: Pick<Assistants, "forRun">;
  answers: RunAnswers;
  states: Pick<ThreadStates, "has">;
}

export function runRoutes(
  resource: Resource,
  { runs, threads, removals, assistants, answers, states }: RunsDeps,
): void {
  const newRun = async (
    body: z.output<typeof ThreadRunBody>,
    to: Omit<RunTarget, "lifetime"> & { threadId: string },
  ) => {
    const assistant = await assistants.forRun(body.assistant_id);
    const from = beginsFrom(body);
    // A graph that is to begin from a checkpoint that is not there would begin from nothing.
    if (from && !(await states.has(to.threadId, from)))
      throw notFound(`checkpoint ${from.checkpoint_id} of thread ${to.threadId}`);
    return toNewRun(body, assistant, { ...to, lifetime: "thread" });
  };

  resource.post(
    "/threads/:thread_id/runs",
    {
      summary: "Start a run in the background",
      params: ThreadPath,
      headers: CreateHeaders,
      body: ThreadRunBody,
      answers: { 200: { description: "the run", json: RunShape, headers: RUN_PLACE }, ...REFUSED },
    },
    async ({ params, headers, body, rawBody, request }) =>
      answers.background(await newRun(body, destination(params, headers, rawBody, request))),
  );

  resource.post(
    "/threads/:thread_id/runs/stream",
    {
      summary: "Start a run and stream its events",
      params: ThreadPath,
      headers: CreateHeaders,
      body: ThreadRunBody,
      answers: { 200: { description: "the run's events", events: true, headers: RUN_HEADERS }, ...REFUSED },
    },
    async ({ params, headers, body, rawBody, request, response }) => {
      const run = await newRun(body, destination(params, headers, rawBody, request));
      return answers.stream(run, response, body.on_disconnect === "cancel");
    },
  );

  resource.post(
    "/threads/:thread_id/runs/wait",
    {
      summary: "Start a run and wait for its end",
      params: ThreadPath,
      headers: CreateHeaders,
      body: ThreadRunBody,
      answers: {
        200: { description: "the thread's state", json: z.unknown(), late: true, headers: RUN_HEADERS },
        ...REFUSED,
      },
    },
    async ({ params, headers, body, rawBody, request, response }) => {
      const run = await newRun(body, destination(params, headers, rawBody, request));
      return answers.wait(run, response, body.on_disconnect === "cancel");
    },
  );

  resource.get(
    "/threads/:thread_id/runs",
    {
      summary: "List a thread's runs, newest first",
      params: ThreadPath,
      query: z.object({
        limit: queryCount(1, 1_000).default(10),
        offset: queryCount(0, 1_000_000).default(0),
        status: RunStatus.optional(),
        select: queryNamesOf(RunShape.keyof().options).describe(
          "only these fields; repeated, by commas, or a JSON list",
        ),
      }),
      answers: { 200: { description: "runs", json: z.array(RunShape.partial()) }, 404: "the thread does not exist" },
    },
    async ({ params, query: { limit, offset, status, select } }) => {
      const found = await runs.list(params.thread_id, { limit, offset, ...(status && { status }) });
      if (found.length === 0 && !(await threads.get(params.thread_id))) throw notFound(`thread ${params.thread_id}`);
      const shapes = found.map(toRunShape);
      return reply(select ? shapes.map((run) => Object.fromEntries(select.map((name) => [name, run[name]]))) : shapes);
    },
  );

  resource.get(
    "/threads/:thread_id/runs/:run_id",
    {
      summary: "Get a run",
      params: RunPath,
      answers: { 200: { description: "the run", json: RunShape }, ...MISSING },
    },
    async ({ params }) => {
      const run = await runs.get(params.thread_id, params.run_id);
      if (!run) throw notFound(`run ${params.run_id} of thread ${params.thread_id}`);
      return reply(toRunShape(run));
    },
  );

  resource.get(
    "/threads/:thread_id/runs/:run_id/join",
    {
      summary: "Wait for a run's end",
      params: RunPath,
      query: JoinQuery.pick({ cancel_on_disconnect: true }),
      answers: {
        200: { description: "the thread's state", json: z.unknown(), late: true, headers: RUN_HEADERS },
        ...MISSING,
      },
    },
    async ({ params, query, response }) => answers.join(idOf(params), response, query.cancel_on_disconnect),
  );

  resource.get(
    "/threads/:thread_id/runs/:run_id/stream",
    {
      summary: "Stream a run's events, from where the client left off",
      params: RunPath,
      query: JoinQuery,
      headers: JoinHeaders,
      answers: { 200: { description: "the run's events", events: true, headers: RUN_HEADERS }, ...MISSING },
    },
    async ({ params, query, headers, request, response }) =>
      answers.joinStream(idOf(params), response, joinOptions(query, headers, request)),
  );

  resource.delete(
    "/threads/:thread_id/runs/:run_id",
    {
      summary: "Delete a run",
      description:
        "An open run is rolled back. Of one that has ended the checkpoints go with it where they are the newest of the " +
        "thread and nothing runs on it; else they stay, since later ones were built on them.",
      params: RunPath,
      answers: { 204: "the run is gone", ...MISSING },
    },
    async ({ params }): Promise<Reply> => {
      const { threadId, runId } = idOf(params);
      if (!(await removals.deleteRun(threadId, runId))) throw notFound(`run ${runId} of thread ${threadId}`);
      return { status: 204 };
    },
  );
}

function destination(
  params: z.output<typeof ThreadPath>,
  headers: z.output<typeof CreateHeaders>,
  rawBody: unknown,
  request: Request,
): Omit<RunTarget, "lifetime"> & { threadId: string } {
  const { path } = request;
  const idempotencyKey = headers["idempotency-key"];
  return { threadId: params.thread_id, idempotencyKey, path, rawBody, configurable: takenHeaders(request) };
}

export function joinOptions(
  query: z.output<typeof JoinQuery>,
  headers: z.output<typeof JoinHeaders>,
  request: Request,
) {
  return {
    lastEventId: headers["last-event-id"],
    wanted: query.stream_mode?.length ? wantsModes(query.stream_mode) : wantsAll,
    cancelOnDisconnect: query.cancel_on_disconnect,
    search: searchOf(request),
  };
}
