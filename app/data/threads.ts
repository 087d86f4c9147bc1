/** Threads as Redis keeps them. Their status and values are written by the scripts of `runs` alone. */
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { toFields } from "../redis/scripts.js";
import { scripts } from "../runs/scripts.js";
import type { ThreadStatus } from "../runs/types.js";

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
}

export class Threads {
  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
  ) {}

  /** Creates a thread, or answers the one that has this id. */
  async create(thread: {
    threadId: string;
    metadata: Record<string, unknown>;
  }): Promise<{ thread: ThreadRecord; created: boolean }> {
    const key = this.#key(thread.threadId);
    const answer = await scripts.createThread.run(this.redis, key, JSON.stringify(thread.metadata));
    const [created, ...pairs] = answer as [number, ...string[]];
    return { thread: toRecord(thread.threadId, toFields(pairs)), created: created === 1 };
  }

  async get(threadId: string): Promise<ThreadRecord | undefined> {
    const fields = await this.redis.hgetall(this.#key(threadId));
    return fields.created_at === undefined ? undefined : toRecord(threadId, fields);
  }

  #key(threadId: string): string {
    return this.keys.of(threadId, "thread", threadId);
  }
}

function toRecord(threadId: string, fields: Record<string, string>): ThreadRecord {
  const { graph_id, assistant_id } = fields;
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
  };
}
