/** Threads as Redis keeps them. Their status and values are written by the scripts of `runs` alone. */
import { randomUUID } from "node:crypto";
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { toFields } from "../redis/scripts.js";
import { scripts } from "../runs/scripts.js";
import { RunRefused, type ThreadStatus } from "../runs/types.js";
import { ThreadRefused } from "./threads/refused.js";
import { MOST_METADATA_KEYS } from "./threads/terms.js";

/** Whoever changes the same thread at the same time goes first at most so often; each time somebody gets through. */
const MOST_TRIES = 100;

/** A thread goes, or keeps its newest checkpoints alone, when nothing has happened on it for so long. */
export interface ThreadTtl {
  strategy: "delete" | "keep_latest";
  ms: number;
}

export interface ThreadRecord {
  threadId: string;
  createdAt: Date;
  updatedAt: Date;
  stateUpdatedAt: Date | undefined;
  /** The caller's metadata, with `graph_id` and `assistant_id` of the thread's latest run. */
  metadata: Record<string, unknown>;
  config: Record<string, unknown>;
  status: ThreadStatus;
  /** JSON text of the state's values, or `null`. */
  valuesJson: string;
  /** JSON text: task id → its open interrupts. */
  interruptsJson: string;
  ttl: ThreadTtl | undefined;
  /**
   * Values and interrupts lag behind the checkpoints, because a run ended without telling what it left, and nothing runs
   * now; `seq` is for `refresh`.
   */
  stale: { seq: string } | undefined;
}

/** What a thread's newest checkpoint tells; JSON texts. */
export interface ThreadState {
  valuesJson: string;
  interruptsJson: string;
  status: "idle" | "interrupted";
}

export interface NewThread {
  threadId: string;
  metadata: Record<string, unknown>;
  ttl?: ThreadTtl | undefined;
}

/** `metadata` is put over what is there, key by key; a ttl takes the place of what was there. */
export interface ThreadChange {
  metadata?: Record<string, unknown> | undefined;
  ttl?: ThreadTtl | undefined;
}

export class Threads {
  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
  ) {}

  /** Creates a thread, or answers the one that has this id. @throws RunRefused `thread_deleting` */
  async create(thread: NewThread): Promise<{ thread: ThreadRecord; created: boolean }> {
    const { threadId } = thread;
    const args = createArguments(thread, randomUUID());
    const answer = await scripts.createThread.run(this.redis, this.#key(threadId), ...args);
    const [created, ...pairs] = answer as [number, ...string[]];
    if (created < 0) throw deleting(threadId);
    return { thread: toRecord(threadId, toFields(pairs)), created: created === 1 };
  }

  async get(threadId: string): Promise<ThreadRecord | undefined> {
    const fields = await this.redis.hgetall(this.#key(threadId));
    return fields.created_at === undefined ? undefined : toRecord(threadId, fields);
  }

  /** Writes down what the newest checkpoint of a stale thread tells, unless something has run since it was read. */
  async refresh({ threadId, stale }: ThreadRecord, { valuesJson, interruptsJson, status }: ThreadState): Promise<void> {
    const args = [stale?.seq ?? "", valuesJson, interruptsJson, status];
    await scripts.refreshThread.run(this.redis, this.#key(threadId), ...args);
  }

  /** @returns undefined when there is no such thread. @throws ThreadRefused `too_much`, `busy` */
  async change(threadId: string, { metadata, ttl }: ThreadChange): Promise<ThreadRecord | undefined> {
    const key = this.#key(threadId);
    let held = metadata ? await this.redis.hget(key, "metadata") : "";
    for (let tries = 0; tries < MOST_TRIES && held !== null; tries++) {
      const args = [threadId, held, metadata ? merged(held, metadata) : "", ttl?.ms ?? "", ttl?.strategy ?? ""];
      const answer = await scripts.patchThread.run(this.redis, key, ...args);
      const [word, ...rest] = answer as ["patched" | "changed" | "missing", ...string[]];
      if (word === "missing") return undefined;
      if (word === "patched") return toRecord(threadId, toFields(rest));
      held = rest[0] ?? "{}";
    }
    if (held === null) return undefined;
    throw new ThreadRefused("busy", `thread ${threadId} is being changed by too many at once; try again`);
  }

  #key(threadId: string): string {
    return this.keys.of(threadId, "thread", threadId);
  }
}

/** Of an id that is not free yet. */
export function deleting(threadId: string): RunRefused {
  return new RunRefused("thread_deleting", `thread ${threadId} is being deleted; try again, or choose another id`);
}

/** As `create_thread` takes it. @param nonce of the call */
export function createArguments({ threadId, metadata, ttl }: NewThread, nonce: string): (string | number)[] {
  return [threadId, JSON.stringify(metadata), ttl?.ms ?? "", ttl?.strategy ?? "", nonce];
}

/** @param fields of its hash; `values` and `interrupts` may be left out where nobody asks for them */
export function toRecord(threadId: string, fields: Record<string, string>): ThreadRecord {
  const { graph_id, assistant_id, ttl, ttl_strategy } = fields;
  return {
    threadId,
    createdAt: new Date(Number(fields.created_at)),
    updatedAt: new Date(Number(fields.updated_at)),
    stateUpdatedAt: fields.state_updated_at === undefined ? undefined : new Date(Number(fields.state_updated_at)),
    metadata: { ...JSON.parse(fields.metadata ?? "{}"), ...(graph_id && { graph_id, assistant_id }) },
    config: JSON.parse(fields.config ?? "{}"),
    status: fields.status as ThreadStatus,
    valuesJson: fields.values ?? "null",
    interruptsJson: fields.interrupts ?? "{}",
    ttl: ttl === undefined ? undefined : { strategy: ttl_strategy as ThreadTtl["strategy"], ms: Number(ttl) },
    stale: fields.stale && fields.active === "" ? { seq: fields.seq ?? "" } : undefined,
  };
}

function merged(heldJson: string, metadata: Record<string, unknown>): string {
  const all = { ...JSON.parse(heldJson), ...metadata };
  const { graph_id: _graph, assistant_id: _assistant, ...own } = all;
  if (Object.keys(own).length > MOST_METADATA_KEYS)
    throw new ThreadRefused("too_much", `body.metadata: the thread's must hold at most ${MOST_METADATA_KEYS} keys`);
  return JSON.stringify(all);
}
