/** What a server does with runs. Every call but `follow` is one script; refusals are RunRefused. */
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { toFields } from "../redis/scripts.js";
import type { Log } from "../telemetry/log.js";
import type { Follow, FollowFrom } from "./follow.js";
import { Followers } from "./followers.js";
import { scripts } from "./scripts.js";
import { type MultitaskStrategy, type NewRun, type Run, RunRefused, type RunStatus } from "./types.js";

/** An owner that has not ended its cancelled run by then (dead, stopped, cut off) is overruled. */
const CANCEL_GRACE_MS = 700;

/** A given id is known as long as a run's record. */
const RESERVED_MS = 7 * 24 * 3600 * 1000;

export class Runs {
  readonly #followers: Followers;
  readonly #overrules = new Set<NodeJS.Timeout>();

  constructor(private readonly deps: { commands: Redis; subscriber: Redis; keys: Keys; log: Log }) {
    this.#followers = new Followers(deps.commands, deps.subscriber, deps.keys);
  }

  /**
   * Accepts a run; the same request again (same run id and hash) gets the same run.
   * @throws RunRefused `thread_missing`, `thread_busy`, `id_reused`, `id_taken`
   */
  async enqueue(run: NewRun): Promise<Run> {
    if (!run.idIsGiven) return await this.#enqueue(run);
    const isNew = await this.#reserve(run);
    try {
      return await this.#enqueue(run);
    } catch (error) {
      // Refused, it leaves nothing behind. (Of any other error nobody knows whether it was accepted.)
      if (isNew && error instanceof RunRefused) await this.deps.commands.del(this.#reservation(run));
      throw error;
    }
  }

  /**
   * A thread's partition knows the ids of its own runs alone, so a given one is also kept under a key that follows from
   * it. @returns whether it is new. @throws RunRefused `id_reused`
   */
  async #reserve(run: NewRun): Promise<boolean> {
    const key = this.#reservation(run);
    const before = await this.deps.commands.set(key, run.requestHash, "PX", RESERVED_MS, "NX", "GET");
    if (before !== null && before !== run.requestHash) throw idReused(run);
    return before === null;
  }

  #reservation({ runId }: NewRun): string {
    return this.deps.keys.of(runId, "request", runId);
  }

  async #enqueue(run: NewRun): Promise<Run> {
    const metadata = JSON.stringify(run.metadata);
    const answer = (await scripts.enqueue.run(
      this.deps.commands,
      this.deps.keys.of(run.threadId, "run", run.runId),
      run.runId,
      run.threadId,
      run.graphId,
      run.assistantId,
      run.lifetime,
      run.strategy,
      run.ifNotExists,
      run.afterMs,
      run.payload.stream_resumable ? 1 : 0,
      metadata,
      JSON.stringify(run.payload),
      run.requestHash,
      metadata,
    )) as [string, (number | string)?];
    switch (answer[0]) {
      case "accepted": {
        return described(run, "pending", new Date(Number(answer[1])));
      }
      case "same":
        return (await this.get(run.threadId, run.runId)) ?? described(run, answer[1] as RunStatus, new Date());
      case "id_reused":
        throw idReused(run);
      case "id_taken":
        throw new RunRefused("id_taken", `Idempotency-Key ${run.runId} is the id of a thread; choose another`);
      case "thread_missing":
        throw new RunRefused("thread_missing", `thread ${run.threadId} does not exist`);
      default:
        throw new RunRefused(
          "thread_busy",
          `thread ${run.threadId} is busy with run ${answer[1]}; wait for it, or choose multitask_strategy enqueue`,
        );
    }
  }

  async get(threadId: string, runId: string): Promise<Run | undefined> {
    const fields = await this.deps.commands.hgetall(this.deps.keys.of(threadId, "run", runId));
    return fields.thread_id === threadId ? toRun(runId, fields) : undefined;
  }

  /** A thread's runs, newest first. */
  async list(threadId: string, page: { limit: number; offset: number; status?: RunStatus }): Promise<Run[]> {
    const key = this.deps.keys.of(threadId, "runs", threadId);
    const rows = await scripts.listRuns.run(this.deps.commands, key, page.offset, page.limit, page.status ?? "");
    return (rows as [string, ...string[]][]).map(([runId, ...pairs]) => toRun(runId, toFields(pairs)));
  }

  /**
   * Stores the intent and tells the run's worker; a pending run ends at once. When it resolves, the run will end
   * whatever fails.
   * @throws RunRefused `run_missing`, `run_ended`
   */
  async cancel(threadId: string, runId: string): Promise<void> {
    const { commands, keys, log } = this.deps;
    const key = keys.of(threadId, "run", runId);
    const answer = await scripts.cancel.run(commands, key, runId, threadId, "interrupt", CANCEL_GRACE_MS);
    if (answer === "run_missing")
      throw new RunRefused("run_missing", `run ${runId} does not exist on thread ${threadId}`);
    if (answer === "run_ended") throw new RunRefused("run_ended", `run ${runId} has already ended`);
    if (answer !== "requested") return;
    const timer = setTimeout(() => {
      this.#overrules.delete(timer);
      // A failure here leaves it to the next sweep.
      scripts.overrule
        .run(commands, key, runId)
        .catch((error) => log.warn({ runId, reason: String(error) }, "overrule"));
    }, CANCEL_GRACE_MS);
    this.#overrules.add(timer);
  }

  /** Resolves once subscribed: what is published from then on is not missed. @throws RunRefused `run_missing` */
  follow(threadId: string, runId: string, from: FollowFrom): Promise<Follow> {
    return this.#followers.follow(threadId, runId, from);
  }

  /** Stops its timers; cancels that they stood for are left to the sweeps. */
  close(): void {
    this.#followers.close();
    for (const timer of this.#overrules) clearTimeout(timer);
  }
}

function idReused({ runId }: NewRun): RunRefused {
  return new RunRefused("id_reused", `Idempotency-Key ${runId} was used for another request`);
}

/** A run as it was asked for: one just accepted, or a stateless one that ended and is known only by its events. */
function described(run: NewRun, status: RunStatus, createdAt: Date): Run {
  const { runId, threadId, assistantId, graphId, strategy, metadata, payload } = run;
  return {
    runId,
    threadId,
    assistantId,
    graphId,
    strategy,
    metadata,
    payload,
    status,
    attempt: status === "pending" ? 0 : 1,
    createdAt,
    updatedAt: createdAt,
  };
}

function toRun(runId: string, fields: Record<string, string>): Run {
  return {
    runId,
    threadId: fields.thread_id ?? "",
    assistantId: fields.assistant_id ?? "",
    graphId: fields.graph_id ?? "",
    status: fields.status as RunStatus,
    strategy: fields.strategy as MultitaskStrategy,
    metadata: JSON.parse(fields.metadata ?? "{}"),
    payload: JSON.parse(fields.payload ?? "{}"),
    attempt: Number(fields.attempt),
    createdAt: new Date(Number(fields.created_at)),
    updatedAt: new Date(Number(fields.updated_at)),
  };
}
