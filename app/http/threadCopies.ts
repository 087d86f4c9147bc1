/** Copying threads, pruning many at once, and what one takes. */
import { z } from "zod";
import type { Copies } from "../data/copies.js";
import type { Removals } from "../data/removal.js";
import type { Storage, ThreadStorage } from "../data/storage.js";
import type { Threads } from "../data/threads.js";
import { HttpError, notFound } from "./errors.js";
import { freshThread } from "./freshThread.js";
import { type Resource, reply } from "./resource.js";
import { Id, optional, ThreadPath, ThreadShape, TtlStrategy, toThreadShape } from "./shapes.js";
import type { ThreadStates } from "./threadStates.js";

const MOST_PRUNED = 1_000;
/** Each may be thousands of checkpoints. */
const PRUNED_AT_ONCE = 10;

const ThreadPrune = z
  .object({
    thread_ids: z.array(Id).max(MOST_PRUNED, `must be at most ${MOST_PRUNED} ids`),
    strategy: optional(TtlStrategy).describe("`delete` unless given; `keep_latest` keeps the newest checkpoints alone"),
  })
  .meta({ id: "ThreadPrune" });

const Section = z.object({ count: z.int(), bytes: z.int() });
const ThreadStorageShape = z
  .object({
    thread_id: z.guid(),
    total_bytes: z.int(),
    checkpoints: Section.describe("without values and writes"),
    channel_values: Section.extend({
      channels: z.record(z.string(), z.int()).describe("bytes by channel; a value that several hold counts once"),
    }),
    pending_writes: Section.describe("writes of tasks that no channel holds; `count` is of all writes"),
  })
  .meta({ id: "ThreadStorage" });

export interface ThreadCopiesDeps {
  threads: Pick<Threads, "get" | "refresh">;
  removals: Pick<Removals, "deleteThread" | "prune">;
  copies: Pick<Copies, "copy">;
  storage: Pick<ThreadStorage, "measure">;
  states: Pick<ThreadStates, "newest">;
}

export function threadCopyRoutes(resource: Resource, deps: ThreadCopiesDeps): void {
  const { threads, removals, copies, storage } = deps;
  resource.post(
    "/threads/:thread_id/copy",
    {
      summary: "Copy a thread",
      description: "The copy has the thread's state and history as they are now, and its metadata, but no runs.",
      params: ThreadPath,
      answers: {
        200: { description: "the copy", json: ThreadShape },
        // The API's code for it, also of the platform; elsewhere it is 404.
        409: "the thread does not exist, or is a copy of copies too deep",
      },
    },
    async ({ params: { thread_id } }) => {
      const copyId = await copies.copy(thread_id);
      const copy = copyId && (await threads.get(copyId));
      if (!copy) throw new HttpError(409, `thread ${thread_id} does not exist`);
      return reply(toThreadShape(await freshThread(deps, copy)));
    },
  );

  resource.post(
    "/threads/prune",
    {
      summary: "Delete threads, or their older checkpoints",
      description: "Threads that do not exist are passed over; with `keep_latest` also those that have open runs.",
      body: ThreadPrune,
      answers: {
        200: { description: "how many were pruned", json: z.object({ pruned_count: z.int() }) },
      },
    },
    async ({ body }) => {
      const prune = (threadId: string) =>
        body.strategy === "keep_latest" ? removals.prune(threadId) : removals.deleteThread(threadId);
      const threadIds = [...new Set(body.thread_ids)];
      let count = 0;
      while (threadIds.length > 0) {
        const pruned = await Promise.all(threadIds.splice(0, PRUNED_AT_ONCE).map(prune));
        count += pruned.filter(Boolean).length;
      }
      return reply({ pruned_count: count });
    },
  );

  resource.get(
    "/threads/:thread_id/storage",
    {
      summary: "Get how many bytes a thread's checkpoints take",
      description: "What a copy shares with its source counts for the source.",
      params: ThreadPath,
      answers: {
        200: { description: "bytes as they are stored", json: ThreadStorageShape },
        404: "the thread does not exist",
      },
    },
    async ({ params: { thread_id } }) => {
      if (!(await threads.get(thread_id))) throw notFound(`thread ${thread_id}`);
      return reply(toStorageShape(thread_id, await storage.measure(thread_id)));
    },
  );
}

function toStorageShape(threadId: string, storage: Storage): z.infer<typeof ThreadStorageShape> {
  const { checkpoints, values, writes } = storage;
  return {
    thread_id: threadId,
    total_bytes: checkpoints.bytes + values.bytes + writes.bytes,
    checkpoints,
    channel_values: { ...values, channels: Object.fromEntries(values.channels) },
    pending_writes: writes,
  };
}
