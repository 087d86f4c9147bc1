/** What the index of threads should hold, told from the threads themselves. */

import { termOf } from "../../app/data/threads/terms.js";
import type { Redis } from "../../app/redis/connect.js";
import { PARTITIONS } from "../../app/redis/partitions.js";

type Fields = Record<string, string>;
/** By set, without `threads:` before it: thread → place. */
export type ThreadIndex = Record<string, Record<string, number>>;

const isScalar = (value: unknown): value is string | number | boolean | null =>
  value === null || typeof value !== "object";

/** @param threads hashes of all threads of a partition, by id */
export function indexOf(threads: ReadonlyMap<string, Fields>): ThreadIndex {
  const index: ThreadIndex = {};
  const put = (set: string, thread: string, place: unknown) => {
    const entries = index[set] ?? {};
    entries[thread] = Number(place);
    index[set] = entries;
  };
  for (const [thread, fields] of threads) {
    if (fields.lifetime === "delete") continue;
    const { created_at, updated_at, state_updated_at = created_at, status, graph_id, assistant_id } = fields;
    put("thread_id", thread, 0);
    put("created_at", thread, created_at);
    put("updated_at", thread, updated_at);
    put("state_updated_at", thread, state_updated_at);
    put(`status:${status}`, thread, updated_at);
    const metadata = { ...JSON.parse(fields.metadata ?? "{}"), ...(graph_id && { graph_id, assistant_id }) };
    for (const [name, value] of Object.entries(metadata))
      if (isScalar(value)) put(`with:${termOf(name, value)}`, thread, updated_at);
  }
  return index;
}

/** What the index of all partitions holds, and what it should. @param admin may use KEYS */
export async function threadIndexes(admin: Redis): Promise<{ held: ThreadIndex[]; expected: ThreadIndex[] }> {
  const held: ThreadIndex[] = [];
  const expected: ThreadIndex[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const tag = `{sw:${partition}}:`;
    const index: ThreadIndex = {};
    const indexed = `${tag}threads:indexed`;
    for (const name of await admin.keys(`${tag}threads:*`)) {
      if (name === indexed) continue;
      const flat = await admin.zrange(name, "0", "-1", "WITHSCORES");
      const pairs = flat.flatMap((member, at) => (at % 2 ? [] : [[member, Number(flat[at + 1])] as const]));
      index[name.slice(`${tag}threads:`.length)] = Object.fromEntries(pairs);
    }
    const threads = new Map<string, Fields>();
    for (const name of await admin.keys(`${tag}thread:*`))
      threads.set(name.slice(`${tag}thread:`.length), await admin.hgetall(name));
    held.push(index);
    expected.push(indexOf(threads));
  }
  return { held, expected };
}
