/** What Redis keeps of the events of all runs of a thread, in the order in which they were numbered. */
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { parseEntry } from "./events.js";
import { scripts } from "./scripts.js";
import { PAGE_EVENTS } from "./streamSource.js";
import type { RunEvent } from "./types.js";

/** An event of a thread, under its number there: of one of its runs, or of none, when a state was written that is no run's. */
export interface ThreadEvent extends RunEvent {
  runId: string | undefined;
}

export function asThreadEvents(events: RunEvent[], runId: string | undefined): ThreadEvent[] {
  return events.map((event) => ({ ...event, id: String(event.threadSeq), runId }));
}

/** As `lua/include/order.lua` names it. */
const STATES = "states";

export interface ThreadPosition {
  /** Number of the thread's newest event. */
  newest: number;
  /** When the thread was created: another one may have its id by now. */
  createdAt: string;
}

export interface ThreadPage extends ThreadPosition {
  /** Of one run, by number; empty where nothing follows that is kept. Numbers of other runs may lie between. */
  events: ThreadEvent[];
}

/** Who has the thread now. */
export interface ActiveRun extends ThreadPosition {
  runId: string | undefined;
  attempt: number;
}

export class ThreadSource {
  readonly threadKey: string;

  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
    private readonly threadId: string,
  ) {
    this.threadKey = keys.of(threadId, "thread", threadId);
  }

  /** Undefined where there is no such thread. */
  async position(): Promise<ThreadPosition | undefined> {
    const [newest, createdAt] = await this.redis.hmget(this.threadKey, "seq", "created_at");
    return createdAt ? { newest: Number(newest), createdAt } : undefined;
  }

  /** With the run that goes on, if one does. */
  async active(): Promise<ActiveRun | undefined> {
    const [newest, createdAt, active] = await this.redis.hmget(this.threadKey, "seq", "created_at", "active");
    if (!createdAt) return undefined;
    const [status, attempt] = active
      ? await this.redis.hmget(this.keys.of(this.threadId, "run", active), "status", "attempt")
      : [];
    const runId = active && status === "running" ? active : undefined;
    return { newest: Number(newest), createdAt, runId, attempt: Number(attempt) };
  }

  /** The next page of events after a number; undefined where there is no such thread. */
  async after(number: number): Promise<ThreadPage | undefined> {
    const answer = await scripts.nextEvents.run(this.redis, this.threadKey, this.threadId, number);
    const [newest, createdAt, source, id] = answer as string[];
    if (newest === undefined || createdAt === undefined) return undefined;
    const position = { newest: Number(newest), createdAt };
    if (source === undefined || id === undefined) return { ...position, events: [] };
    const stream = source === STATES ? this.#key("states") : this.keys.of(this.threadId, "events", source);
    const entries = await this.redis.xrange(stream, id, "+", "COUNT", PAGE_EVENTS);
    // Gone meanwhile: then something else comes next.
    if (entries.length === 0) return await this.after(number);
    const runId = source === STATES ? undefined : source;
    return { ...position, events: asThreadEvents(entries.map(parseEntry), runId) };
  }

  #key(kind: string): string {
    return this.keys.of(this.threadId, kind, this.threadId);
  }
}
