/** What Redis keeps of one run's events, and what its record tells of them when they are gone. */
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { END, parseEntry } from "./events.js";
import type { EventId, RunEvent } from "./types.js";

/** At most this many events are read at once. */
export const PAGE_EVENTS = 200;

/** How far a run has come. */
export interface Position {
  last: EventId;
  /** Of a run that has ended. */
  end: RunEvent | undefined;
  /** Its events are still there, or some of them. */
  kept: boolean;
}

export class StreamSource {
  readonly #events: string;
  readonly recordKey: string;
  readonly #thread: string;

  constructor(
    private readonly redis: Redis,
    keys: Keys,
    threadId: string,
    runId: string,
  ) {
    this.#events = keys.of(threadId, "events", runId);
    this.recordKey = keys.of(threadId, "run", runId);
    this.#thread = keys.of(threadId, "thread", threadId);
  }

  /** The next page of events. */
  async after(id: EventId): Promise<RunEvent[]> {
    const entries = await this.redis.xrange(this.#events, `(${id}`, "+", "COUNT", PAGE_EVENTS);
    return entries.map(parseEntry);
  }

  /** Undefined when nothing is left of the run: it was deleted, or does not exist. */
  async position(): Promise<Position | undefined> {
    const [entry] = await this.redis.xrevrange(this.#events, "+", "-", "COUNT", 1);
    const newest = entry && parseEntry(entry);
    if (newest) return { last: newest.id, end: newest.event === END ? newest : undefined, kept: true };
    const [last, status, error] = await this.redis.hmget(this.recordKey, "last", "status", "error");
    if (!last || !status) return undefined;
    if (status === "pending" || status === "running") return { last, end: undefined, kept: false };
    const data = error ? `{"__error__":${error}}` : await this.#threadValues();
    return { last, end: { id: last, threadSeq: 0, event: END, data }, kept: false };
  }

  /** Data of the newest event of that name that is kept. */
  async newest(name: string): Promise<string | undefined> {
    for (let from = "+"; ; ) {
      const entries = await this.redis.xrevrange(this.#events, from, "-", "COUNT", PAGE_EVENTS);
      const found = entries.map(parseEntry).find(({ event }) => event === name);
      const oldest = entries.at(-1)?.[0];
      if (found || oldest === undefined || entries.length < PAGE_EVENTS) return found?.data;
      from = `(${oldest}`;
    }
  }

  /** What the run answers is the state of its thread. */
  async #threadValues(): Promise<string> {
    const values = (await this.redis.hget(this.#thread, "values")) ?? "null";
    return values === "null" ? "{}" : values;
  }
}
