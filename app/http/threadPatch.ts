/** What a client may change of a thread by itself: its metadata, and what becomes of it. */
import { z } from "zod";
import type { ThreadChange, ThreadRecord, Threads } from "../data/threads.js";
import { notFound } from "./errors.js";
import { type FreshDeps, freshThread } from "./freshThread.js";
import { type Resource, reply } from "./resource.js";
import {
  Metadata,
  MOST_TTL_MINUTES,
  optional,
  ThreadPath,
  ThreadShape,
  Ttl,
  TtlMinutes,
  toThreadShape,
} from "./shapes.js";

const TTL_SENTENCE = `must be minutes, more than 0 and at most ${MOST_TTL_MINUTES}, or {ttl: minutes, strategy: delete or keep_latest}`;

const ThreadPatch = z
  .object({
    metadata: optional(Metadata).describe("put over what is there, key by key"),
    ttl: optional(z.union([Ttl, TtlMinutes.transform((ttl) => Ttl.parse({ ttl }))], TTL_SENTENCE)),
  })
  .meta({ id: "ThreadPatch" });

const CHANGED = {
  200: { description: "the thread", json: ThreadShape },
  404: "the thread does not exist",
  409: "too many change the thread at once",
};

export interface ThreadPatchDeps extends FreshDeps {
  threads: Pick<Threads, "change" | "refresh">;
}

export function threadPatchRoutes(resource: Resource, deps: ThreadPatchDeps): void {
  const change = async (threadId: string, wanted: ThreadChange): Promise<ThreadRecord> => {
    const thread = await deps.threads.change(threadId, wanted);
    if (!thread) throw notFound(`thread ${threadId}`);
    return thread;
  };

  resource.patch(
    "/threads/:thread_id",
    {
      summary: "Change a thread's metadata or ttl",
      params: ThreadPath,
      headers: z.object({
        prefer: z.string().optional().describe("`return=minimal`: the answer is 204, without the thread"),
      }),
      body: ThreadPatch,
      answers: { ...CHANGED, 204: "changed, with `Prefer: return=minimal`" },
    },
    async ({ params, headers, body }) => {
      const thread = await change(params.thread_id, body);
      if (/(^|[,;\s])return\s*=\s*"?minimal"?($|[,;\s])/i.test(headers.prefer ?? "")) return { status: 204 };
      return reply(toThreadShape(await freshThread(deps, thread)));
    },
  );

  resource.patch(
    "/threads/:thread_id/state",
    {
      summary: "Change a thread's metadata",
      description: "The older way, which the JavaScript SDK still has as `patchState`.",
      params: ThreadPath,
      body: z.object({ metadata: optional(Metadata) }),
      answers: CHANGED,
    },
    async ({ params, body }) => {
      const thread = await change(params.thread_id, body);
      return reply(toThreadShape(await freshThread(deps, thread)));
    },
  );
}
