/** Many threads, fast: as any release stores them, then indexed as the sweepers do. */
import { v4 as uuid } from "uuid";
import { type ThreadRecord, Threads, toRecord } from "../../app/data/threads.js";
import type { Redis } from "../../app/redis/connect.js";
import { type Keys, partitionOf } from "../../app/redis/partitions.js";
import { scripts } from "../../app/runs/scripts.js";

const AT_ONCE = 500;
const STATUSES = ["idle", "idle", "idle", "idle", "busy", "interrupted", "interrupted", "error"];

/**
 * Of some hundred users and three teams, in all statuses; every fourth in one partition, the others anywhere.
 * @returns their ids
 */
export async function manyThreads(redis: Redis, keys: Keys, count: number): Promise<string[]> {
  const threads = new Threads(redis, keys);
  const ids: string[] = [];
  const idFor = (at: number): string => {
    for (;;) {
      const id = uuid();
      if (at % 4 > 0 || partitionOf(id) === 0) return id;
    }
  };
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, at) => idFor(from + at));
    await Promise.all(
      some.map(async (threadId, at) => {
        const number = from + at;
        const metadata = { user: `u${number % 300}`, team: ["red", "blue", "green"][number % 3], n: number, all: true };
        const { thread } = await threads.create({ threadId, metadata });
        const status = STATUSES[Math.floor(number / 7) % STATUSES.length] ?? "";
        const told = thread.createdAt.getTime() + ((number * 7919) % 1000);
        await redis.hset(keys.of(threadId, "thread", threadId), {
          status,
          updated_at: told,
          state_updated_at: told - 1,
        });
      }),
    );
    await Promise.all(some.map((id) => scripts.indexThreads.run(redis, keys.of(id, "threads", "indexed"), id)));
    ids.push(...some);
  }
  return ids;
}

/** Threads as they are, read one by one. */
export async function readThreads(redis: Redis, keys: Keys, ids: string[]): Promise<ThreadRecord[]> {
  const fields = await Promise.all(ids.map((id) => redis.hgetall(keys.of(id, "thread", id))));
  return ids.map((id, at) => toRecord(id, fields[at] ?? {}));
}

/** What commands Redis has executed since the last time that it was asked: name → calls. */
export async function commandsOf(admin: Redis): Promise<Record<string, number>> {
  const info = await admin.info("commandstats");
  await admin.config("RESETSTAT");
  const calls = [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(
    ([, name = "", times]) => [name, Number(times)] as const,
  );
  const own = ["info", "config|resetstat", "role", "ping"];
  return Object.fromEntries(calls.filter(([name]) => !own.includes(name)));
}
