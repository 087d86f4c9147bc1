/**
 * One follow of a run.
 *
 * The stream is the truth and PubSub makes it live. A follow holds the id of the last event that it delivered; a message
 * that continues it is delivered as it comes, any other tells of a gap, and the gap is read from the stream. So a lost
 * message, a reconnection or a burst that a slow reader can't take need no handling of their own: the follow is *behind*
 * and reads, in pages, as fast as its reader pulls. What it holds in memory is bounded.
 */
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { compareIds, END, ENQUEUED, type EventMessage, parseEntry } from "./events.js";
import { type EventId, type RunEvent, RunRefused } from "./types.js";

/** Batches of events in order, without gap or repetition; ends by itself after `end`. `close` frees it at once. */
export interface Follow extends AsyncIterable<RunEvent[]> {
  close(): void;
}

/**
 * Where a follow begins. `new`: a run that is about to be enqueued; `now`: what comes from here on; `start`: all that is
 * kept; `after`: what follows that id.
 */
export type FollowFrom = "new" | "now" | "start" | { after: EventId };

const PAGE_EVENTS = 200;
const HELD_BYTES = 1024 * 1024;

/** What Redis keeps of a run's events. */
export class StreamSource {
  readonly #events: string;
  readonly recordKey: string;
  readonly #thread: string;

  constructor(
    private readonly redis: Redis,
    keys: Keys,
    threadId: string,
    private readonly runId: string,
  ) {
    this.#events = keys.of(threadId, "events", runId);
    this.recordKey = keys.of(threadId, "run", runId);
    this.#thread = keys.of(threadId, "thread", threadId);
  }

  async after(id: EventId): Promise<RunEvent[]> {
    const entries = await this.redis.xrange(this.#events, `(${id}`, "+", "COUNT", PAGE_EVENTS);
    return entries.map(parseEntry);
  }

  async newest(): Promise<RunEvent | undefined> {
    const [entry] = await this.redis.xrevrange(this.#events, "+", "-", "COUNT", 1);
    return entry && parseEntry(entry);
  }

  /**
   * What the run's record tells when its events are gone: how far they reached, and the end of a run that has ended.
   * @throws RunRefused when there is no record either
   */
  async record(): Promise<{ last: EventId; end: RunEvent | undefined }> {
    const [last, status, error] = await this.redis.hmget(this.recordKey, "last", "status", "error");
    if (!last || !status) throw new RunRefused("run_missing", `run ${this.runId} does not exist`);
    if (status === "pending" || status === "running") return { last, end: undefined };
    const values = (await this.redis.hget(this.#thread, "values")) ?? "null";
    const answer = values === "null" ? "{}" : values;
    return { last, end: { id: last, threadSeq: 0, event: END, data: error ? `{"__error__":${error}}` : answer } };
  }
}

const latest = (a: EventId, b: EventId) => (compareIds(a, b) > 0 ? a : b);

export class RunFollow implements Follow {
  /** The last id delivered, or held to be delivered. */
  #cursor: EventId = ENQUEUED;
  #held: RunEvent[] = [];
  #heldBytes = 0;
  /** The stream has what PubSub did not bring. */
  #behind = false;
  /** While the stream is read, messages only tell how far it reaches: taking them too would repeat events. */
  #reading = false;
  #announced: EventId = ENQUEUED;
  /** The run may not have been accepted yet, so nothing of it may mean just that. */
  #awaited = false;
  #closed = false;
  #wake: () => void = () => {};

  constructor(
    readonly runId: string,
    private readonly source: StreamSource,
    private readonly leave: () => void,
  ) {}

  get recordKey(): string {
    return this.source.recordKey;
  }

  async begin(from: FollowFrom): Promise<void> {
    if (from === "new") {
      this.#awaited = true;
      return;
    }
    this.#reading = true;
    const newest = await this.source.newest();
    if (!newest) return await this.#goOnFromRecord();
    const wanted = from === "start" ? ENQUEUED : from === "now" ? newest.id : latest(from.after, ENQUEUED);
    const beyond = compareIds(wanted, newest.id) >= 0;
    if (beyond && newest.event === END) this.#held.push(newest);
    this.#reached(beyond ? newest.id : wanted, !beyond);
  }

  receive(message: EventMessage, bytes: number): void {
    if (compareIds(message.last, this.#announced) > 0) this.#announced = message.last;
    if (this.#reading || this.#behind || compareIds(message.last, this.#cursor) <= 0) return;
    if (!message.events || message.previous !== this.#cursor || this.#heldBytes + bytes > HELD_BYTES) {
      this.fallBehind();
      return;
    }
    this.#held.push(...message.events);
    this.#heldBytes += bytes;
    this.#cursor = message.last;
    this.#wake();
  }

  /** @param last the run's last event; null when it has left no record, which a stateless run does at its end */
  hear(last: EventId | null): void {
    if (last !== null && compareIds(last, this.#cursor) <= 0) return;
    if (last !== null && compareIds(last, this.#announced) > 0) this.#announced = last;
    if (!this.#reading) this.fallBehind();
  }

  fallBehind(): void {
    this.#behind = true;
    this.#wake();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.leave();
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

  async #next(): Promise<RunEvent[]> {
    if (this.#held.length > 0) {
      const batch = this.#held;
      this.#held = [];
      this.#heldBytes = 0;
      return batch;
    }
    if (this.#behind) return await this.#readPage();
    await new Promise<void>((wake) => {
      this.#wake = wake;
    });
    return [];
  }

  async #readPage(): Promise<RunEvent[]> {
    this.#behind = false;
    this.#reading = true;
    const page = await this.source.after(this.#cursor);
    const last = page.at(-1);
    if (last) this.#reached(last.id, page.length === PAGE_EVENTS);
    else if (this.#awaited && this.#cursor === ENQUEUED) this.#reached(ENQUEUED, false);
    // Nothing where something was announced, or after a reconnection: the stream may have gone.
    else await this.#goOnFromRecord();
    return page;
  }

  async #goOnFromRecord(): Promise<void> {
    const { last, end } = await this.source.record();
    if (end) this.#held.push(end);
    this.#announced = last;
    this.#reached(latest(last, this.#cursor), false);
  }

  #reached(cursor: EventId, more: boolean): void {
    this.#cursor = cursor;
    this.#reading = false;
    if (more || compareIds(this.#announced, cursor) > 0) this.#behind = true;
  }
}
