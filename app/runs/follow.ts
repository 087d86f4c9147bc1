/**
 * One follow of a run.
 *
 * The stream is the truth and PubSub makes it live. A follow holds the id of the last event that it delivered; a message
 * that continues it is delivered as it comes, any other tells of a gap, and the gap is read from the stream. So a lost
 * message, a reconnection or a burst that a slow reader can't take need no handling of their own: the follow is *behind*
 * and reads, in pages, as fast as its reader pulls. What it holds in memory is bounded.
 *
 * Where the stream can't continue what was delivered (the oldest events went, or a failover lost the newest) the follow
 * has *lost* its place: it tells the run's attempt and its current state, and goes on with what comes from then on.
 */
import { isAway } from "../redis/away.js";
import { attemptOf, compareIds, END, ENQUEUED, type EventMessage, idBefore, isNext } from "./events.js";
import { PAGE_EVENTS, type StreamSource } from "./streamSource.js";
import { type EventId, type RunEvent, RunRefused } from "./types.js";

/** Batches of events in order, without gap or repetition; ends by itself after `end`. `close` frees it at once. */
export interface Follow extends AsyncIterable<RunEvent[]> {
  /** Of a `new` run: from here on nothing of it means that it has gone, with its thread. */
  accepted(): void;
  close(): void;
}

/**
 * Where a follow begins. `new`: a run that is about to be enqueued; `now`: what comes from here on; `start`: from its
 * first event on; `after`: what follows that id.
 */
export type FollowFrom = "new" | "now" | "start" | { after: EventId };

/** JSON of the run's state now; undefined where none is stored, then its newest `values` event tells it. */
export type CurrentState = () => Promise<string | undefined>;

const HELD_BYTES = 1024 * 1024;
const ASK_AGAIN_MS = 250;
const NO_ID: EventId = "";

/** Of a run that was deleted while it was followed. */
const GONE: RunEvent = { id: NO_ID, threadSeq: 0, event: END, data: "{}" };

export interface FollowOptions {
  runId: string;
  source: StreamSource;
  /** Without it a lost place is passed over, for those who wait for the end alone. */
  currentState: CurrentState | undefined;
  /** For how long it waits for a Redis that is away. */
  outageMs: number;
  onClosed: () => void;
}

export class RunFollow implements Follow {
  readonly runId: string;
  readonly #source: StreamSource;
  readonly #currentState: CurrentState | undefined;
  readonly #outageMs: number;
  readonly #onClosed: () => void;

  /** The last id delivered, or held to be delivered. */
  #cursor: EventId = ENQUEUED;
  #held: RunEvent[] = [];
  #heldBytes = 0;
  /** The stream has what PubSub did not bring. */
  #behind = false;
  /** The stream does not go on from the cursor. */
  #lost = false;
  /**
   * While the stream is read, messages only tell how far it reaches: taking them too would repeat events. So until it has
   * begun: where others follow the thread too, messages come before this follow has its place.
   */
  #reading = true;
  #announced: EventId = ENQUEUED;
  /** Who writes the newest attempt that was heard of. */
  #owner: { attempt: number; nonce: string } | undefined;
  /** The run may not have been accepted yet, so nothing of it may mean just that. */
  #awaited = false;
  #closed = false;
  #awaySince: number | undefined;
  #wake: () => void = () => {};

  constructor({ runId, source, currentState, outageMs, onClosed }: FollowOptions) {
    this.runId = runId;
    this.#source = source;
    this.#currentState = currentState;
    this.#outageMs = outageMs;
    this.#onClosed = onClosed;
  }

  get recordKey(): string {
    return this.#source.recordKey;
  }

  get cursor(): EventId {
    return this.#cursor;
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
    if (ahead === 0 && end) this.#held.push(end);
    // Promised by a Redis that has failed over since.
    if (ahead < 0) this.#lost = true;
    this.#reached(wanted, ahead > 0);
  }

  accepted(): void {
    this.#awaited = false;
  }

  receive(message: EventMessage, bytes: number): void {
    if (message.owner !== undefined) this.#meet(message.owner, attemptOf(message.last));
    this.#awaited = false;
    if (compareIds(message.last, this.#announced) > 0) this.#announced = message.last;
    if (this.#reading || this.#behind || this.#lost || compareIds(message.last, this.#cursor) <= 0) return;
    const { events, previous } = message;
    const continues = previous === this.#cursor && events?.[0] && isNext(events[0].id, previous);
    if (!continues || this.#heldBytes + bytes > HELD_BYTES) {
      this.fallBehind();
      return;
    }
    this.#held.push(...events);
    this.#heldBytes += bytes;
    this.#cursor = message.last;
    this.#wake();
  }

  /**
   * Takes what the run's record said.
   * @param last null when it has left no record, which a stateless run does at its end
   * @param owner the claim that holds it, or nothing
   * @param asked the cursor when it was asked
   */
  hear({ last, owner, asked }: { last: EventId | null; owner: string | null; asked: EventId }): void {
    if (last === null) {
      if (!this.#reading) this.fallBehind();
      return;
    }
    this.#awaited = false;
    if (compareIds(last, asked) < 0 && compareIds(last, this.#cursor) < 0) this.#losePlace();
    if (owner && this.#owner?.attempt === attemptOf(last)) this.#meet(owner, this.#owner.attempt);
    if (compareIds(last, this.#cursor) <= 0) return;
    if (compareIds(last, this.#announced) > 0) this.#announced = last;
    if (!this.#reading) this.fallBehind();
  }

  fallBehind(): void {
    this.#behind = true;
    this.#wake();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClosed();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent[]> {
    try {
      while (!this.#closed) {
        const batch = await this.#next();
        if (batch.length > 0) yield batch;
        if (batch.at(-1)?.event === END) return;
      }
    } finally {
      this.close();
    }
  }

  /** After an asynchronous failover a claim may be repeated, and its ids with it: the same ids then tell something else. */
  #meet(nonce: string, attempt: number): void {
    const known = this.#owner;
    if (known && attempt <= known.attempt && nonce !== known.nonce) this.#losePlace();
    this.#owner = { attempt, nonce };
  }

  #losePlace(): void {
    this.#lost = true;
    this.#wake();
  }

  async #next(): Promise<RunEvent[]> {
    if (this.#held.length > 0) {
      const batch = this.#held;
      this.#held = [];
      this.#heldBytes = 0;
      return batch;
    }
    if (this.#lost || this.#behind) return await this.#read();
    await this.#woken();
    return [];
  }

  /** While Redis is away it is asked again, as long as a run goes on without it; then the client is cut, and resumes. */
  async #read(): Promise<RunEvent[]> {
    const lost = this.#lost;
    try {
      const events = await (lost ? this.#resynchronize() : this.#readPage());
      this.#awaySince = undefined;
      return events;
    } catch (error) {
      const now = performance.now();
      this.#awaySince ??= now;
      if (!isAway(error) || now - this.#awaySince > this.#outageMs) throw error;
      this.#lost ||= lost;
      this.#behind = true;
      await this.#woken(ASK_AGAIN_MS);
      return [];
    }
  }

  #woken(withinMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const limit = withinMs === undefined ? undefined : setTimeout(() => this.#wake(), withinMs);
      this.#wake = () => {
        clearTimeout(limit);
        resolve();
      };
    });
  }

  async #readPage(): Promise<RunEvent[]> {
    this.#beginReading();
    const page = await this.#source.after(this.#cursor);
    if (page.length === 0) return await this.#findPlace();
    const events = withoutGap(page, this.#cursor);
    if (events.length < page.length) this.#lost = true;
    this.#reached(events.at(-1)?.id ?? this.#cursor, page.length === PAGE_EVENTS);
    return events;
  }

  /** Nothing comes after the cursor, where something was announced or after a reconnection. */
  async #findPlace(): Promise<RunEvent[]> {
    const position = await this.#source.position();
    if (!position && !this.#awaited) return [GONE];
    const ahead = position ? compareIds(position.last, this.#cursor) : 0;
    if (ahead < 0 || (ahead > 0 && !position?.kept)) this.#lost = true;
    this.#reached(this.#cursor, ahead > 0);
    return ahead === 0 && position?.end ? [position.end] : [];
  }

  async #resynchronize(): Promise<RunEvent[]> {
    this.#lost = false;
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
    if (!this.#currentState) return [];
    const state = (await this.#currentState()) ?? (await this.#source.newest("values")) ?? "{}";
    const metadata = JSON.stringify({ run_id: this.runId, attempt: attemptOf(liveFrom) });
    return [
      { id: NO_ID, threadSeq: 0, event: "metadata", data: metadata, resync: true },
      { id: liveFrom, threadSeq: 0, event: "values", data: state, resync: true },
    ];
  }

  /** What was announced by now is read, or was lost by a failover. */
  #beginReading(): void {
    this.#behind = false;
    this.#reading = true;
    this.#announced = ENQUEUED;
  }

  #reached(cursor: EventId, more: boolean): void {
    this.#cursor = cursor;
    this.#reading = false;
    if (more || compareIds(this.#announced, cursor) > 0) this.#behind = true;
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
