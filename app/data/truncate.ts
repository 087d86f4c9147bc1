/**
 * Removes what tests have left. Threads go as a client's deletion would take them, so whoever follows them is told; what
 * belongs to no thread is found by walking over the keys, a thousand a step on each master: nobody keeps an index for it.
 */
import type { Redis } from "../redis/connect.js";
import { writableNodes } from "../redis/nodes.js";
import type { Keys } from "../redis/partitions.js";
import { AssistantRefused, type Assistants } from "./assistants.js";
import type { Removals } from "./removal.js";

const KEYS_A_STEP = 1_000;
const THREADS_AT_ONCE = 20;
const ASSISTANTS_A_PAGE = 1_000;

/** What outlives its thread: events for those who come late, ids that clients gave, webhooks not yet posted. */
const LEFT_BY_RUNS = ["events:*", "request:*", "webhook:*", "webhooks"];

export interface TruncateDeps {
  redis: Redis;
  keys: Keys;
  removals: Pick<Removals, "deleteThread">;
  assistants: Pick<Assistants, "find" | "delete">;
}

/** Threads have their runs and checkpoints with them. */
export interface Truncated {
  threads: boolean;
  assistants: boolean;
  store: boolean;
}

export type Truncate = (what: Truncated) => Promise<void>;

export function createTruncate(deps: TruncateDeps): Truncate {
  return async ({ threads, assistants, store }) => {
    if (threads) await deleteThreads(deps);
    if (assistants) await deleteAssistants(deps);
    if (store) await unlink(deps, "store:*");
  };
}

async function deleteThreads(deps: TruncateDeps): Promise<void> {
  for await (const names of keysLike(deps, "thread:*")) {
    const ids = names.map((name) => name.slice(name.lastIndexOf(":") + 1));
    for (let first = 0; first < ids.length; first += THREADS_AT_ONCE)
      await Promise.all(ids.slice(first, first + THREADS_AT_ONCE).map((id) => deps.removals.deleteThread(id)));
  }
  for (const kind of LEFT_BY_RUNS) await unlink(deps, kind);
}

/** Those of graphs stay: servers make them once, when they start. */
async function deleteAssistants({ assistants }: TruncateDeps): Promise<void> {
  const order = { sortBy: "created_at", sortOrder: "asc", limit: ASSISTANTS_A_PAGE } as const;
  for (let kept = 0; ; ) {
    const { page } = await assistants.find({}, { ...order, offset: kept });
    if (page.length === 0) return;
    for (const { assistantId } of page)
      await assistants.delete(assistantId, { deleteThreads: false }).catch((error) => {
        if (!(error instanceof AssistantRefused)) throw error;
        // It is a graph's; or another call has deleted it, and the page after is asked for in vain.
        kept++;
      });
  }
}

async function unlink(deps: TruncateDeps, kind: string): Promise<void> {
  // One each: in a cluster those of several partitions can't go in one command.
  for await (const names of keysLike(deps, kind)) await Promise.all(names.map((name) => deps.redis.unlink(name)));
}

async function* keysLike({ redis, keys }: TruncateDeps, kind: string): AsyncGenerator<string[]> {
  const pattern = `{${keys.prefix}:*}:${kind}`;
  for (const { redis: node } of writableNodes(redis)) {
    let cursor = "0";
    do {
      const [next, names] = await node.scan(cursor, "MATCH", pattern, "COUNT", KEYS_A_STEP);
      cursor = next;
      yield names;
    } while (cursor !== "0");
  }
}
