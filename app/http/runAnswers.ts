/**
 * The ways in which a run is answered, whoever's thread it is on: at once, as a stream, or when it has ended; and joined
 * later, on this server or another. A new run is followed before it is enqueued, so that no event can be missed.
 */
import type { Response } from "express";
import { END } from "../runs/events.js";
import type { Follow, FollowFrom } from "../runs/follow.js";
import type { CurrentState } from "../runs/followLoop.js";
import type { Runs } from "../runs/runs.js";
import { type NewRun, type Run, RunRefused } from "../runs/types.js";
import type { Log } from "../telemetry/log.js";
import { HttpError, notFound } from "./errors.js";
import { followInTime, readInto } from "./following.js";
import type { OpenAnswer, OpenAnswers } from "./openAnswers.js";
import { type Reply, reply } from "./resource.js";
import { toRunShape } from "./shapes.js";
import { frame, joinsFrom, SSE_BEFORE_FIRST, SSE_HEADERS, SSE_HEARTBEAT, type Wanted, wantsAll } from "./sse.js";

/** What this server asks of the coordination core. */
export type RunsCore = Pick<
  Runs,
  | "enqueue"
  | "get"
  | "hasLeftEvents"
  | "list"
  | "cancel"
  | "cancelThese"
  | "cancelAll"
  | "removed"
  | "follow"
  | "followThread"
>;

export type RunId = Pick<NewRun, "threadId" | "runId">;

/** White space before a JSON value is no part of it. */
const WAIT_HEARTBEAT = "\n";

export interface JoinOptions {
  lastEventId?: string | undefined;
  wanted: Wanted;
  cancelOnDisconnect: boolean;
  /** The request's query with its question mark, or nothing. */
  search: string;
}

export interface RunAnswersDeps {
  runs: RunsCore;
  /** JSON of a thread's values; undefined when it has no checkpoint. */
  currentValues: (threadId: string) => Promise<string | undefined>;
  open: OpenAnswers;
  log: Log;
}

export class RunAnswers {
  constructor(private readonly deps: RunAnswersDeps) {}

  async background(run: NewRun): Promise<Reply> {
    return reply(toRunShape(await this.deps.runs.enqueue(run)), { "Content-Location": contentLocation(run) });
  }

  async stream(run: NewRun, response: Response, cancelOnDisconnect: boolean): Promise<undefined> {
    const follow = await this.#launch(run, response, this.#stateOf(run));
    // A client that reconnects to another server still means what it asked for here.
    const search = cancelOnDisconnect ? "?cancel_on_disconnect=1" : "";
    const headers = { "Content-Location": contentLocation(run), Location: `${runPath(run)}/stream${search}` };
    const answer = this.deps.open.begin(response, {
      headers: { ...SSE_HEADERS, ...headers },
      opening: SSE_BEFORE_FIRST,
      heartbeat: SSE_HEARTBEAT,
      onClosed: (byClient) => this.#leave(run, follow, byClient && cancelOnDisconnect),
    });
    await this.#send(follow, answer, wantsAll);
  }

  async wait(run: NewRun, response: Response, cancelOnDisconnect: boolean): Promise<undefined> {
    const follow = await this.#launch(run, response);
    await this.#answerAtEnd(run, follow, response, cancelOnDisconnect);
  }

  /** @throws HttpError 404 */
  async joinStream(id: RunId, response: Response, options: JoinOptions): Promise<undefined> {
    const { lastEventId, wanted, cancelOnDisconnect, search } = options;
    const run = await this.#find(id);
    // Of a run without a record only the events are left; whoever joins it can want nothing else.
    const resumable = run ? run.payload.stream_resumable === true : true;
    const follow = await this.#follow(id, joinsFrom(lastEventId, resumable), this.#stateOf(id));
    const headers = { "Content-Location": contentLocation(id), Location: `${runPath(id)}/stream${search}` };
    const answer = this.deps.open.begin(response, {
      headers: { ...SSE_HEADERS, ...headers },
      heartbeat: SSE_HEARTBEAT,
      onClosed: (byClient) => this.#leave(id, follow, byClient && cancelOnDisconnect),
    });
    await this.#send(follow, answer, wanted);
  }

  /** @throws HttpError 404 */
  async join(id: RunId, response: Response, cancelOnDisconnect: boolean): Promise<undefined> {
    await this.#find(id);
    const follow = await this.#follow(id, "now");
    await this.#answerAtEnd(id, follow, response, cancelOnDisconnect);
  }

  /**
   * Resolves when the run has ended, or when the client of `response` has gone.
   * @param then what to do once its end can't be missed
   */
  async whenEnded(id: RunId, response: Response, then: () => Promise<void>): Promise<void> {
    const follow = await this.#follow(id, "now");
    const leave = () => follow.close();
    response.once("close", leave);
    try {
      await then();
      if (response.destroyed) leave();
      for await (const _events of follow);
    } finally {
      leave();
      response.off("close", leave);
    }
  }

  /**
   * The run's record; undefined for a stateless run that may have ended, whose record went and whose events may be left.
   * @throws HttpError 404
   */
  async #find({ threadId, runId }: RunId): Promise<Run | undefined> {
    const run = await this.deps.runs.get(threadId, runId);
    if (run) return run;
    if (threadId !== runId) throw notFound(`run ${runId} of thread ${threadId}`);
    if (!(await this.deps.runs.hasLeftEvents(runId))) throw notFound(`run ${runId}`);
    return undefined;
  }

  /** @throws HttpError 503 */
  async #follow({ threadId, runId }: RunId, from: FollowFrom, currentState?: CurrentState): Promise<Follow> {
    return await followInTime(this.deps.runs.follow(threadId, runId, from, currentState));
  }

  async #launch(run: NewRun, response: Response, currentState?: CurrentState): Promise<Follow> {
    const follow = await this.#follow(run, "new", currentState);
    if (response.destroyed) {
      // It waited for Redis and left: it will ask again, and one run is enough.
      follow.close();
      throw new HttpError(499, "the client left");
    }
    let accepted: Run;
    try {
      accepted = await this.deps.runs.enqueue(run);
    } catch (error) {
      follow.close();
      throw error;
    }
    if (accepted.status === "pending" && accepted.attempt === 0) {
      follow.accepted();
      return follow;
    }
    // The same request had come before: its run has a past, which a follow of a new run doesn't read.
    follow.close();
    return this.#follow(run, "start", currentState);
  }

  /** A graph that can't tell its state leaves it to the run's newest `values` event. */
  #stateOf({ threadId, runId }: RunId): CurrentState {
    return async () => {
      this.deps.log.info({ event: "resync", threadId, runId }, "a client's place in the stream is gone");
      return await this.deps.currentValues(threadId);
    };
  }

  async #send(follow: Follow, answer: OpenAnswer, wanted: Wanted): Promise<void> {
    await readInto(answer, follow, this.deps.log, async (events) => {
      await answer.write(frame(events, wanted));
      if (events.at(-1)?.event === END) answer.end();
    });
  }

  async #answerAtEnd(run: RunId, follow: Follow, response: Response, cancelOnDisconnect: boolean): Promise<void> {
    const search = cancelOnDisconnect ? "?cancel_on_disconnect=1" : "";
    const headers = { "Content-Location": contentLocation(run), Location: `${runPath(run)}/join${search}` };
    const answer = this.deps.open.begin(response, {
      headers: { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers },
      heartbeat: WAIT_HEARTBEAT,
      onClosed: (byClient) => this.#leave(run, follow, byClient && cancelOnDisconnect),
    });
    await readInto(answer, follow, this.deps.log, async (events) => {
      const last = events.at(-1);
      if (last?.event === END) answer.end(last.data);
    });
  }

  #leave({ threadId, runId }: RunId, follow: Follow, cancel: boolean): void {
    follow.close();
    if (!cancel) return;
    this.deps.runs.cancel(threadId, runId).catch((error) => {
      if (error instanceof RunRefused) return; // it ended by itself
      this.deps.log.warn({ threadId, runId, reason: String(error) }, "cancel on disconnect");
    });
  }
}

const runPath = ({ threadId, runId }: RunId) => `/threads/${threadId}/runs/${runId}`;

/** SDKs read the ids from it. A stateless run's thread is nobody's business. */
const contentLocation = (run: RunId) => (run.threadId === run.runId ? `/runs/${run.runId}` : runPath(run));
