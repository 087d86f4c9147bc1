/**
 * What is spared where memory runs out: the oldest events of all runs. Who follows a run or joins it later gets its state
 * instead of them; checkpoints and ends stay.
 */
import { randomUUID } from "node:crypto";
import type { Redis } from "../redis/connect.js";
import { type Node, tagOn } from "../redis/nodes.js";
import type { Keys } from "../redis/partitions.js";
import { Script } from "../redis/scripts.js";
import { scripts } from "./scripts.js";

/** Of each run. The last of them holds what wait and join answer. */
const KEPT_EVENTS = 50;
const DROPPED_AT_ONCE = 100;
const SCANNED_AT_ONCE = 200;
/** One process trims a node at a time. */
const LOCK_MS = 5_000;

/** Sets what a full Redis would refuse as well. */
const lock = new Script(
  "lock",
  "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])",
);

/**
 * Halves the streams of a node's runs one after the other, until it has room or each was met once.
 * @param stillFull asked after each page of keys
 */
export async function trimEvents(
  { redis, keys }: { redis: Redis; keys: Keys },
  node: Node,
  stillFull: () => Promise<boolean>,
): Promise<void> {
  const tag = tagOn(redis, keys, node.name);
  if (!tag || (await lock.run(redis, `${tag}:trimming`, randomUUID(), LOCK_MS)) === null) return;
  const deadline = performance.now() + LOCK_MS;
  let cursor = "0";
  do {
    const match = `{${keys.prefix}:*}:events:*`;
    const [next, streams] = await node.redis.scan(cursor, "MATCH", match, "COUNT", SCANNED_AT_ONCE, "TYPE", "stream");
    for (const stream of streams) await halve(redis, stream);
    cursor = next;
  } while (cursor !== "0" && performance.now() < deadline && (await stillFull()));
}

async function halve(redis: Redis, stream: string): Promise<void> {
  const keep = Math.max(KEPT_EVENTS, Math.floor((await redis.xlen(stream)) / 2));
  let dropped: number;
  do dropped = Number(await scripts.trimEvents.run(redis, stream, keep, DROPPED_AT_ONCE));
  while (dropped > 0);
}
