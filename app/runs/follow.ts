/**
 * One follow of a run.
 *
 * The stream is the truth and PubSub makes it live. A follow holds the id of the last event that it delivered; a message
 * that continues it is delivered as it comes, any other tells of a gap, and the gap is read from the stream. So a lost
 * message, a reconnection or a burst that a slow reader can't take need no handling of their own: the follow is *behind*
 * and reads, in pages, as fast as its reader pulls (`followLoop.ts`).
 *
 * Where the stream can't continue what was delivered (the oldest events went, or a failover lost the newest) the follow
 * has *lost* its place: it tells the run's attempt and its current state, and goes on with what comes from then on.
 */
import { attemptOf, compareIds, END, ENQUEUED, type EventMessage, idBefore, isNext } from "./events.js";
import { type Fed, type Following, FollowLoop, type FollowLoopOptions } from "./followLoop.js";
import { PAGE_EVENTS, type StreamSource } from "./streamSource.js";
import { type EventId, type RunEvent, RunRefused } from "./types.js";

/** Ends by itself after `end`. */
export interface Follow extends Following<RunEvent> {
  /** Of a `new` run: from here on nothing of it means that it has gone, with its thread. */
  accepted(): void;
}

/**
 * Where a follow begins. `new`: a run that is about to be enqueued; `now`: what comes from here on; `start`: from its
 * first event on; `after`: what follows that id.
 */
export type FollowFrom = "new" | "now" | "start" | { after: EventId };

const NO_ID: EventId = "";

/** Of a run that was deleted while it was followed. */
const GONE: RunEvent = { id: NO_ID, threadSeq: 0, event: END, data: "{}" };

export interface FollowOptions extends FollowLoopOptions {
  runId: string;
  source: StreamSource;
}

export class RunFollow extends FollowLoop<RunEvent> implements Follow, Fed {
  readonly runId: string;
  readonly #source: StreamSource;

  /** The last id delivered, or held to be delivered. */
  #cursor: EventId = ENQUEUED;
  #announced: EventId = ENQUEUED;
  /** Who writes the newest attempt that was heard of. */
  #owner: { attempt: number; nonce: string } | undefined;
  /** The run may not have been accepted yet, so nothing of it may mean just that. */
  #awaited = false;

  constructor({ runId, source, ...options }: FollowOptions) {
    super(options);
    this.runId = runId;
    this.#source = source;
  }

  get cursor(): EventId {
    return this.#cursor;
  }

  get checked() {
    return { key: this.#source.recordKey, fields: ["last", "owner"] };
  }

  /** @throws RunRefused `run_missing` */
  async begin(from: FollowFrom): Promise<void> {
    if (from === "new") {
      this.#awaited = true;
      this.#reached(ENQUEUED, false);
      return;
    }
    const position = await this.#source.position();
    if (!position) throw new RunRefused("run_missing", `run ${this.runId} does not exist`);
    const { last, end } = position;
    const wanted = from === "start" ? ENQUEUED : from === "now" ? last : latest(from.after, ENQUEUED);
    const ahead = compareIds(last, wanted);
    if (ahead === 0 && end) this.hold([end], 0);
    // Promised by a Redis that has failed over since.
    if (ahead < 0) this.losePlace();
    this.#reached(wanted, ahead > 0);
  }

  accepted(): void {
    this.#awaited = false;
  }

  receive(message: EventMessage, bytes: number): void {
    if (message.runId !== this.runId) return;
    if (message.owner !== undefined) this.#meet(message.owner, attemptOf(message.last));
    this.#awaited = false;
    if (compareIds(message.last, this.#announced) > 0) this.#announced = message.last;
    if (!this.isLive || compareIds(message.last, this.#cursor) <= 0) return;
    const { events, previous } = message;
    const continues = previous === this.#cursor && events?.[0] && isNext(events[0].id, previous);
    if (!continues || !this.hold(events, bytes)) this.fallBehind();
    else this.#cursor = message.last;
  }

  ask() {
    const asked = this.#cursor;
    return ([last = null, owner = null]: (string | null)[]) => this.#hear(last, owner, asked);
  }

  /**
   * Takes what the run's record said.
   * @param last null when it has left no record, which a stateless run does at its end
   * @param owner the claim that holds it, or nothing
   * @param asked the cursor when it was asked
   */
  #hear(last: EventId | null, owner: string | null, asked: EventId): void {
    if (last === null) {
      if (!this.reading) this.fallBehind();
      return;
    }
    this.#awaited = false;
    if (compareIds(last, asked) < 0 && compareIds(last, this.#cursor) < 0) this.losePlace();
    if (owner && this.#owner?.attempt === attemptOf(last)) this.#meet(owner, this.#owner.attempt);
    if (compareIds(last, this.#cursor) <= 0) return;
    if (compareIds(last, this.#announced) > 0) this.#announced = last;
    if (!this.reading) this.fallBehind();
  }

  /** After an asynchronous failover a claim may be repeated, and its ids with it: the same ids then tell something else. */
  #meet(nonce: string, attempt: number): void {
    const known = this.#owner;
    if (known && attempt <= known.attempt && nonce !== known.nonce) this.losePlace();
    this.#owner = { attempt, nonce };
  }

  protected isLast({ event }: RunEvent): boolean {
    return event === END;
  }

  protected async readPage(): Promise<RunEvent[]> {
    this.#beginReading();
    const page = await this.#source.after(this.#cursor);
    if (page.length === 0) return await this.#findPlace();
    const events = withoutGap(page, this.#cursor);
    if (events.length < page.length) this.losePlace();
    this.#reached(events.at(-1)?.id ?? this.#cursor, page.length === PAGE_EVENTS);
    return events;
  }

  /** Nothing comes after the cursor, where something was announced or after a reconnection. */
  async #findPlace(): Promise<RunEvent[]> {
    const position = await this.#source.position();
    if (!position && !this.#awaited) return [GONE];
    const ahead = position ? compareIds(position.last, this.#cursor) : 0;
    if (ahead < 0 || (ahead > 0 && !position?.kept)) this.losePlace();
    this.#reached(this.#cursor, ahead > 0);
    return ahead === 0 && position?.end ? [position.end] : [];
  }

  protected async tellPlace(): Promise<RunEvent[]> {
    this.#beginReading();
    const position = await this.#source.position();
    if (!position) return [GONE];
    const { last, end } = position;
    const liveFrom = end ? idBefore(end.id) : last;
    const events = await this.#tell(liveFrom);
    if (end) events.push(end);
    this.#reached(last, false);
    return events;
  }

  /**
   * The place is read before the state, so that the state may be newer than the events that follow, but misses none.
   * Only the last of these events has an id: a client that is cut before it has it asks again, and is told again.
   */
  async #tell(liveFrom: EventId): Promise<RunEvent[]> {
    if (!this.currentState) return [];
    const state = (await this.currentState()) ?? (await this.#source.newest("values")) ?? "{}";
    const metadata = JSON.stringify({ run_id: this.runId, attempt: attemptOf(liveFrom) });
    return [
      { id: NO_ID, threadSeq: 0, event: "metadata", data: metadata, resync: true },
      { id: liveFrom, threadSeq: 0, event: "values", data: state, resync: true },
    ];
  }

  /** What was announced by now is read, or was lost by a failover. */
  #beginReading(): void {
    this.reading = true;
    this.#announced = ENQUEUED;
  }

  #reached(cursor: EventId, more: boolean): void {
    this.#cursor = cursor;
    this.reading = false;
    if (more || compareIds(this.#announced, cursor) > 0) this.fallBehind();
  }
}

const latest = (a: EventId, b: EventId) => (compareIds(a, b) > 0 ? a : b);

/** The events up to the first that is missing. */
function withoutGap(events: RunEvent[], cursor: EventId): RunEvent[] {
  let previous = cursor;
  const gap = events.findIndex(({ id }) => {
    const continues = isNext(id, previous);
    previous = id;
    return !continues;
  });
  return gap < 0 ? events : events.slice(0, gap);
}
