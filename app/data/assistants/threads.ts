/**
 * What becomes of the threads and open runs of an assistant that was deleted. Deleting one is rare, so no index is kept
 * for it: the threads are walked, a thousand a step, on each master.
 */
import { Cluster } from "ioredis";
import type { Redis } from "../../redis/connect.js";
import type { Keys } from "../../redis/partitions.js";
import type { Runs } from "../../runs/runs.js";
import { RunRefused } from "../../runs/types.js";
import type { Removals } from "../removal.js";

const A_STEP = 1_000;
const OPEN = ["running", "pending"] as const;
/** Of a thread; more wait behind these, and are met when these have ended. */
const RUNS_A_PAGE = 1_000;

export interface AssistantThreadsDeps {
  redis: Redis;
  keys: Keys;
  runs: Pick<Runs, "list" | "cancel">;
  removals: Pick<Removals, "deleteThread">;
}

interface Found {
  threadId: string;
  assistantId: string | null;
  open: number;
}

export class AssistantThreads {
  constructor(private readonly deps: AssistantThreadsDeps) {}

  /** Cancels the open runs of the assistant, on all threads, and deletes the threads whose latest run was its. */
  async leave(assistantId: string, { deleteThreads }: { deleteThreads: boolean }): Promise<void> {
    for await (const threads of this.#all()) {
      const own = deleteThreads ? threads.filter((thread) => thread.assistantId === assistantId) : [];
      for (const thread of threads.filter(({ open }) => open > 0))
        if (!own.includes(thread)) await this.#cancel(thread.threadId, assistantId);
      for (const { threadId } of own) await this.deps.removals.deleteThread(threadId);
    }
  }

  async *#all(): AsyncGenerator<Found[]> {
    const { redis, keys } = this.deps;
    const masters = redis instanceof Cluster ? redis.nodes("master") : [redis];
    const pattern = `{${keys.prefix}:*}:thread:*`;
    for (const master of masters) {
      let cursor = "0";
      do {
        const [next, names] = await master.scan(cursor, "MATCH", pattern, "COUNT", A_STEP);
        cursor = next;
        const pipeline = master.pipeline();
        for (const name of names) pipeline.hmget(name, "assistant_id", "open");
        const answers = (await pipeline.exec()) ?? [];
        yield names.map((name, at) => {
          const [error, fields] = answers[at] ?? [new Error("no answer from Redis")];
          if (error) throw error;
          const [assistantId = null, open] = fields as (string | null)[];
          return { threadId: name.slice(name.lastIndexOf(":") + 1), assistantId, open: Number(open) };
        });
      } while (cursor !== "0");
    }
  }

  async #cancel(threadId: string, assistantId: string): Promise<void> {
    const { runs } = this.deps;
    const pages = await Promise.all(
      OPEN.map((status) => runs.list(threadId, { limit: RUNS_A_PAGE, offset: 0, status })),
    );
    const own = pages.flat().filter((run) => run.assistantId === assistantId);
    await Promise.all(
      own.map(({ runId }) =>
        runs.cancel(threadId, runId).catch((error: unknown) => {
          // It has ended meanwhile.
          if (!(error instanceof RunRefused)) throw error;
        }),
      ),
    );
  }
}
