/**
 * One follow of a thread: the events of all its runs, as they are numbered.
 *
 * It is to the thread what `follow.ts` is to a run: a message that continues the last number is delivered as it comes, any
 * other tells of a gap. The gap is read from the streams of the runs, one run after the other as the numbers say. Where the
 * next number is in none of them (its run's events have expired, were trimmed or deleted, or a failover lost them) the place
 * is *lost*, and the thread's state is told instead.
 */
import { attemptOf, END, type EventMessage, NO_RUN } from "./events.js";
import { type Fed, type Following, FollowLoop, type FollowLoopOptions } from "./followLoop.js";
import {
  type ActiveRun,
  asThreadEvents,
  type ThreadEvent,
  type ThreadPosition,
  type ThreadSource,
} from "./threadSource.js";
import { type RunEvent, RunRefused } from "./types.js";

/** Never ends by itself, unless the thread is deleted: then with an `end` of no run. Ids are the thread's numbers. */
export type ThreadFollowing = Following<ThreadEvent> & { readonly cursor: number };

/** `now`: what comes from here on; `start`: what is kept; `after`: what follows that number; `lost`: the state, then `now`. */
export type ThreadFollowFrom = "now" | "start" | "lost" | { after: number };

const GONE: ThreadEvent = { id: "", threadSeq: 0, runId: undefined, event: END, data: "null" };

export const isGone = (event: ThreadEvent): boolean => event.event === END && event.runId === undefined;

export interface ThreadFollowOptions extends FollowLoopOptions {
  threadId: string;
  source: ThreadSource;
}

export class ThreadFollow extends FollowLoop<ThreadEvent> implements Fed {
  readonly #threadId: string;
  readonly #source: ThreadSource;

  /** The number of the last event delivered, or held to be delivered, and whose it is. */
  #cursor = 0;
  #cursorRun: string | undefined;
  #announced = 0;
  /** What a replay from the start does not find up to here was not kept: no gap that the client could mend. */
  #keptTo = 0;
  #createdAt = "";
  /** The claim that was heard of last. */
  #owner: { runId: string; attempt: number; nonce: string } | undefined;

  constructor({ threadId, source, ...options }: ThreadFollowOptions) {
    super(options);
    this.#threadId = threadId;
    this.#source = source;
  }

  get cursor(): number {
    return this.#cursor;
  }

  get checked() {
    return { key: this.#source.threadKey, fields: ["seq", "created_at"] };
  }

  /** @throws RunRefused `thread_missing` */
  async begin(from: ThreadFollowFrom): Promise<void> {
    const position = await this.#source.position();
    if (!position) throw new RunRefused("thread_missing", `thread ${this.#threadId} does not exist`);
    const { newest, createdAt } = position;
    this.#createdAt = createdAt;
    if (from === "start") this.#keptTo = newest;
    const wanted = from === "start" ? 0 : typeof from === "object" ? from.after : newest;
    // Promised by a Redis that has failed over since, or never.
    if (from === "lost" || wanted > newest) this.losePlace();
    this.#reached(wanted, wanted < newest);
  }

  receive(message: EventMessage, bytes: number): void {
    const { events } = message;
    const last = events?.at(-1);
    if (message.owner !== undefined) this.#meet(message.runId, attemptOf(message.last), message.owner);
    if (events && last?.threadSeq === this.#cursor && this.#isAnother(message.runId)) this.losePlace();
    const announced = last?.threadSeq ?? Number.POSITIVE_INFINITY;
    this.#announced = Math.max(this.#announced, announced);
    if (!this.isLive || announced <= this.#cursor) return;
    const continues = events?.[0]?.threadSeq === this.#cursor + 1;
    const runId = message.runId === NO_RUN ? undefined : message.runId;
    if (!continues || !this.hold(asThreadEvents(events, runId), bytes)) this.fallBehind();
    else this.#move(announced, last, runId);
  }

  ask() {
    const asked = this.#cursor;
    return ([newest = null, createdAt = null]: (string | null)[]) => {
      if (createdAt !== this.#createdAt) return this.fallBehind();
      if (Number(newest) < asked && Number(newest) < this.#cursor) this.losePlace();
      this.#announced = Math.max(this.#announced, Number(newest));
      if (!this.reading && Number(newest) > this.#cursor) this.fallBehind();
    };
  }

  /** After an asynchronous failover a claim may be repeated, and its numbers with it: they then tell something else. */
  #meet(runId: string, attempt: number, nonce: string): void {
    const known = this.#owner;
    if (known?.runId === runId && attempt <= known.attempt && nonce !== known.nonce) this.losePlace();
    this.#owner = { runId, attempt, nonce };
  }

  /** The number that was read as one run's is now another's. */
  #isAnother(runId: string): boolean {
    return this.#cursorRun !== undefined && this.#cursorRun !== runId;
  }

  protected isLast(event: ThreadEvent): boolean {
    return isGone(event);
  }

  protected async readPage(): Promise<ThreadEvent[]> {
    this.#beginReading();
    const page = await this.#source.after(this.#cursor);
    if (!this.#isThread(page)) return [GONE];
    const first = page.events[0]?.threadSeq ?? page.newest + 1;
    const from = first <= this.#keptTo + 1 ? first : this.#cursor + 1;
    if (page.newest < this.#cursor || first !== from) {
      this.losePlace();
      this.#reached(this.#cursor, false);
      return [];
    }
    const events = withoutGap(page.events);
    const last = events.at(-1);
    const reached = last?.threadSeq ?? page.newest;
    this.#reached(reached, reached < page.newest);
    this.#move(reached, last, last?.runId);
    return events;
  }

  protected async tellPlace(): Promise<ThreadEvent[]> {
    this.#beginReading();
    const active = await this.#source.active();
    if (!this.#isThread(active)) return [GONE];
    const events = await this.#tell(active);
    this.#cursorRun = undefined;
    this.#reached(active.newest, false);
    return events;
  }

  /** The place is read before the state, so that the state may be newer than the events that follow, but misses none. */
  async #tell({ newest, runId, attempt }: ActiveRun): Promise<ThreadEvent[]> {
    const state = (await this.currentState?.()) ?? "{}";
    const values = {
      id: String(newest),
      threadSeq: newest,
      runId,
      event: "values",
      data: state,
      resync: true,
    } as const;
    if (runId === undefined) return [values];
    const data = JSON.stringify({ run_id: runId, attempt });
    return [{ id: "", threadSeq: 0, runId, event: "metadata", data, resync: true }, values];
  }

  #isThread<P extends ThreadPosition>(position: P | undefined): position is P {
    return position?.createdAt === this.#createdAt;
  }

  /** What was announced by now is read, or was lost by a failover. */
  #beginReading(): void {
    this.reading = true;
    this.#announced = 0;
  }

  #reached(cursor: number, more: boolean): void {
    this.#cursor = cursor;
    this.reading = false;
    if (more || this.#announced > cursor) this.fallBehind();
  }

  #move(cursor: number, last: RunEvent | undefined, runId: string | undefined): void {
    this.#cursor = cursor;
    if (!last) return;
    this.#cursorRun = runId;
    // The thread of a stateless run goes with it, without a word of its own.
    if (last.event === END && runId === this.#threadId) this.fallBehind();
  }
}

/** The events up to the first number that is another run's. */
function withoutGap(events: ThreadEvent[]): ThreadEvent[] {
  const first = events[0]?.threadSeq ?? 0;
  const gap = events.findIndex(({ threadSeq }, at) => threadSeq !== first + at);
  return gap < 0 ? events : events.slice(0, gap);
}
