/**
 * The stream of a thread: what all its runs tell, on one connection that stays open from run to run.
 * A run's own stream ends with `end`; here it is `metadata` with the status `run_done`, as on the platform, and `end` says
 * that the thread is deleted.
 */
import type { Response } from "express";
import { z } from "zod";
import type { Threads } from "../data/threads.js";
import { isAway } from "../redis/away.js";
import { END, isEventId } from "../runs/events.js";
import type { Runs } from "../runs/runs.js";
import { isGone, type ThreadFollowFrom } from "../runs/threadFollow.js";
import type { ThreadEvent } from "../runs/threadSource.js";
import type { Log } from "../telemetry/log.js";
import { followInTime, readInto } from "./following.js";
import type { OpenAnswers } from "./openAnswers.js";
import type { Resource } from "./resource.js";
import { queryNamesOf, ThreadPath } from "./shapes.js";
import { frameOf, idAlone, SSE_HEADERS, SSE_HEARTBEAT, searchOf } from "./sse.js";
import type { ThreadStates } from "./threadStates.js";

const MODES = ["run_modes", "lifecycle", "state_update"] as const;
type Mode = (typeof MODES)[number];

const Modes = queryNamesOf(MODES).describe(
  "`run_modes` (default): every event of each run, as its own stream has it; `lifecycle`: that runs begin and end; " +
    "`state_update`: the thread's state after each run and each change of it. May be repeated",
);

const NUMBER = /^\d{1,15}$/;
const isPlace = (id: string) => id === "" || id === "-" || NUMBER.test(id) || isEventId(id);

const JoinHeaders = z.object({
  "last-event-id": z
    .string()
    .refine(isPlace, "must be - or an id of this stream, such as 17")
    .optional()
    .meta({ pattern: "^(-|[0-9]{1,15}(-[0-9]{1,15})?)?$" })
    .describe(
      "the last id that the client has, `-` for all that is kept; without it, what comes from now on. Where that place is " +
        "gone, `values` with the current state comes first, then what is new",
    ),
});

/** Ids of runs' streams are no places here, but who sends one has missed something. */
function placeOf(lastEventId = ""): ThreadFollowFrom {
  if (lastEventId === "") return "now";
  if (lastEventId === "-") return "start";
  return NUMBER.test(lastEventId) ? { after: Number(lastEventId) } : "lost";
}

export interface ThreadStreamDeps {
  runs: Pick<Runs, "followThread">;
  threads: Pick<Threads, "get">;
  states: Pick<ThreadStates, "state">;
  /** JSON of a thread's values; undefined when it has no checkpoint. */
  currentValues: (threadId: string) => Promise<string | undefined>;
  open: OpenAnswers;
  log: Log;
}

interface JoinOptions {
  from: ThreadFollowFrom;
  modes: readonly Mode[];
  /** The request's query with its question mark, or nothing. */
  search: string;
}

export function threadStreamRoutes(resource: Resource, deps: ThreadStreamDeps): void {
  resource.get(
    "/threads/:thread_id/stream",
    {
      summary: "Stream the events of all runs of a thread",
      description: "It stays open, whether a run goes on or not, until the thread is deleted; then it ends with `end`.",
      params: ThreadPath,
      query: z.object({ stream_mode: Modes, stream_modes: Modes }),
      headers: JoinHeaders,
      answers: {
        200: {
          description: "the thread's events",
          events: true,
          headers: { Location: "where a client that was cut goes on" },
        },
        404: "the thread does not exist",
      },
    },
    async ({ params, query, headers, request, response }) => {
      const asked = [...(query.stream_mode ?? []), ...(query.stream_modes ?? [])];
      const modes: Mode[] = asked.length > 0 ? asked : ["run_modes"];
      const from = placeOf(headers["last-event-id"]);
      await join(deps, params.thread_id, response, { from, modes, search: searchOf(request) });
      return undefined;
    },
  );
}

async function join(deps: ThreadStreamDeps, threadId: string, response: Response, options: JoinOptions): Promise<void> {
  const { from, modes, search } = options;
  const { runs, open, log, currentValues } = deps;
  const state = async () => {
    log.info({ event: "resync", threadId }, "a client's place in the thread's stream is gone");
    return await currentValues(threadId);
  };
  const follow = await followInTime(runs.followThread(threadId, from, state));
  const answer = open.begin(response, {
    headers: { ...SSE_HEADERS, Location: `/threads/${threadId}/stream${search}` },
    // Who is cut before the first event goes on from here.
    ...(from === "now" && { opening: idAlone(String(follow.cursor)) }),
    heartbeat: SSE_HEARTBEAT,
    onClosed: () => follow.close(),
  });
  await readInto(answer, follow, log, async (events) => {
    await answer.write(await textOf(events, modes, () => stateOf(deps, threadId)));
    const last = events.at(-1);
    if (last && isGone(last)) answer.end();
  });
}

/** The state is read once for what comes together: it is the newest in any case. */
async function textOf(
  events: readonly ThreadEvent[],
  modes: readonly Mode[],
  readState: () => Promise<string>,
): Promise<string> {
  let reading: Promise<string> | undefined;
  const state = () => {
    reading ??= readState();
    return reading;
  };
  let text = "";
  for (const event of events) text += await frameFor(event, new Set(modes), state);
  return text;
}

async function frameFor(event: ThreadEvent, modes: Set<Mode>, state: () => Promise<string>): Promise<string> {
  const { id, runId } = event;
  if (isGone(event)) return frameOf(END, "null", id);
  if (event.resync) return frameOf(event.event, event.data, id);
  // That of a run carries no id where its end follows: who is cut between the two is told both again.
  const update = async (place: string) =>
    modes.has("state_update") ? frameOf("state_update", await state(), place) : "";
  if (runId === undefined) return await update(id);
  const beginsOrEnds = event.event === "metadata" || event.event === END;
  const isWanted = modes.has("run_modes") || (beginsOrEnds && modes.has("lifecycle"));
  if (event.event !== END) return isWanted ? frameOf(event.event, event.data, id) : "";
  const done = JSON.stringify({ status: "run_done", run_id: runId });
  return isWanted ? (await update("")) + frameOf("metadata", done, id) : await update(id);
}

/** @returns JSON `{thread_id, state}`, with the state as `GET /threads/{id}/state` has it */
async function stateOf({ threads, states, log }: ThreadStreamDeps, threadId: string): Promise<string> {
  const thread = await threads.get(threadId);
  const read = async () => (thread ? await states.state(thread, {}, { subgraphs: false }) : "null");
  const state = await read().catch((error: unknown) => {
    if (isAway(error)) throw error;
    log.warn({ event: "state_unreadable", threadId }, "a thread's state can't be told");
    return "null";
  });
  return `{"thread_id":${JSON.stringify(threadId)},"state":${state}}`;
}
