/** What a server does with runs. Every call but `follow` is one script; refusals are RunRefused. */
import type { Redis } from "../redis/connect.js";
import type { MemoryGuard } from "../redis/memory.js";
import { ALL_PARTITIONS, type Keys } from "../redis/partitions.js";
import type { Confirm, Write } from "../redis/replication.js";
import { toFields } from "../redis/scripts.js";
import type { Log } from "../telemetry/log.js";
import { type EnqueueRules, enqueueArguments } from "./enqueueArguments.js";
import { ENQUEUED } from "./events.js";
import type { Follow, FollowFrom } from "./follow.js";
import { Followers } from "./followers.js";
import type { CurrentState } from "./followLoop.js";
import { described, toRun } from "./record.js";
import { scripts } from "./scripts.js";
import { type CancelAction, type NewRun, type RemovalSteps, type Run, RunRefused, type RunStatus } from "./types.js";

/** An owner that has not ended its cancelled run by then (dead, stopped, cut off) is overruled. */
const CANCEL_GRACE_MS = 700;

/** A given id is known as long as a run's record. */
const RESERVED_MS = 7 * 24 * 3600 * 1000;

/** Runs that one call lists, and cancels side by side. */
const CANCELLED_AT_ONCE = 100;

export interface RunsDeps extends Omit<EnqueueRules, "cancelGraceMs"> {
  commands: Redis;
  subscriber: Redis;
  keys: Keys;
  /** Does what a rollback leaves to do; where it fails a sweep goes on with it. */
  removals: RemovalSteps;
  /** Asks replicas for what was written; not given: nobody asks. */
  confirm?: Confirm;
  /** Refuses runs before Redis is full; not given: nobody looks. */
  memory?: Pick<MemoryGuard, "check">;
  /** For how long workers keep their runs, and followers wait, while Redis is away. */
  outageSeconds: number;
  log: Log;
}

export class Runs {
  readonly #followers: Followers;
  readonly #overrules = new Set<NodeJS.Timeout>();

  constructor(private readonly deps: RunsDeps) {
    this.#followers = new Followers(deps.commands, deps.subscriber, deps.keys, deps.outageSeconds * 1000);
  }

  /**
   * Accepts a run; the same request again (same run id and hash) gets the same run.
   * @throws RunRefused `thread_missing`, `thread_busy`, `thread_deleting`, `id_reused`, `id_taken`, `webhook_refused`;
   *   MemoryFull
   */
  async enqueue(run: NewRun): Promise<Run> {
    this.deps.memory?.check(this.deps.keys.of(run.threadId, "run", run.runId));
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
    const key = this.deps.keys.of(run.threadId, "run", run.runId);
    const args = enqueueArguments(run, { ...this.deps, cancelGraceMs: CANCEL_GRACE_MS });
    const answer = (await scripts.enqueue.run(this.deps.commands, key, ...args)) as [
      string,
      (number | string)?,
      ...string[],
    ];
    switch (answer[0]) {
      case "accepted": {
        const [, createdMs, removed, ...cancelled] = answer;
        if (removed) this.#remove(run.threadId, removed);
        for (const runId of cancelled) this.#overruleLater(run.threadId, runId);
        await this.#confirm(run, "enqueue");
        return described(run, "pending", new Date(Number(createdMs)));
      }
      case "same":
        await this.#confirm(run, "enqueue");
        return (await this.get(run.threadId, run.runId)) ?? described(run, answer[1] as RunStatus, new Date());
      case "id_reused":
        throw idReused(run);
      case "id_taken":
        throw new RunRefused("id_taken", `Idempotency-Key ${run.runId} is the id of a thread; choose another`);
      case "thread_missing":
        throw new RunRefused("thread_missing", `thread ${run.threadId} does not exist`);
      case "thread_deleting":
        throw new RunRefused(
          "thread_deleting",
          `thread ${run.threadId} is being deleted; try again, or choose another`,
        );
      default: {
        const by = answer[1] ? `run ${answer[1]}` : "a run that waits or is delayed";
        throw new RunRefused(
          "thread_busy",
          `thread ${run.threadId} is busy with ${by}; wait for it, or choose another multitask_strategy than reject`,
        );
      }
    }
  }

  async get(threadId: string, runId: string): Promise<Run | undefined> {
    const fields = await this.deps.commands.hgetall(this.deps.keys.of(threadId, "run", runId));
    return fields.thread_id === threadId ? toRun(runId, fields) : undefined;
  }

  /**
   * Whether a stateless run that has no record any more has left its events. A run of another thread in its partition
   * has events under the same key; its record, or else its first event, names that thread.
   */
  async hasLeftEvents(runId: string): Promise<boolean> {
    const { commands, keys } = this.deps;
    const [thread, first] = await Promise.all([
      commands.hget(keys.of(runId, "run", runId), "thread_id"),
      commands.xrange(keys.of(runId, "events", runId), ENQUEUED, ENQUEUED),
    ]);
    const fields = first[0]?.[1];
    // The release before named no thread.
    return fields !== undefined && (thread ?? runId) === runId && (fields[7] ?? runId) === runId;
  }

  /** A thread's runs, newest first. */
  async list(threadId: string, page: { limit: number; offset: number; status?: RunStatus }): Promise<Run[]> {
    const key = this.deps.keys.of(threadId, "runs", threadId);
    const rows = await scripts.listRuns.run(this.deps.commands, key, page.offset, page.limit, page.status ?? "");
    return (rows as [string, ...string[]][]).map(([runId, ...pairs]) => toRun(runId, toFields(pairs)));
  }

  /**
   * Stores the intent and tells the run's worker; a pending run ends at once. When it resolves, the run will end
   * whatever fails. With `rollback` it is gone when this resolves, and its checkpoints go from then on: see `removed`.
   * @throws RunRefused `run_missing`, `run_ended`
   */
  async cancel(threadId: string, runId: string, action: CancelAction = "interrupt"): Promise<void> {
    const { commands, keys } = this.deps;
    const key = keys.of(threadId, "run", runId);
    const answer = await scripts.cancel.run(commands, key, runId, threadId, action, CANCEL_GRACE_MS);
    if (answer === "run_missing") throw runMissing(threadId, runId);
    if (answer === "run_ended") throw new RunRefused("run_ended", `run ${runId} has already ended`);
    if (answer === "removing") this.#remove(threadId, runId);
    if (answer === "requested") this.#overruleLater(threadId, runId);
    await this.#confirm({ threadId, runId }, "cancel");
  }

  /** Resolves when nothing is left of a run that was rolled back. */
  removed(threadId: string, runId: string): Promise<void> {
    return this.deps.removals.remove({ threadId, what: runId });
  }

  /** Cancels these runs of a thread; those that have ended stay as they are. @throws RunRefused `run_missing`: none was */
  async cancelThese(threadId: string, runIds: string[], action: CancelAction): Promise<void> {
    const { commands, keys } = this.deps;
    const pipeline = commands.pipeline();
    for (const runId of runIds) pipeline.hget(keys.of(threadId, "run", runId), "thread_id");
    const answers = (await pipeline.exec()) ?? [];
    for (const [at, runId] of runIds.entries()) {
      const [error, held] = answers[at] ?? [new Error("no answer from Redis")];
      if (error) throw error;
      if (held !== threadId) throw runMissing(threadId, runId);
    }
    await this.#cancelOpen(
      runIds.map((runId) => ({ threadId, runId })),
      action,
    );
  }

  /** Cancels the runs of all threads that are pending, running or both when this is called. */
  async cancelAll(status: "pending" | "running" | "all", action: CancelAction): Promise<void> {
    await Promise.all(ALL_PARTITIONS.map((partition) => this.#cancelPartition(partition, status, action)));
  }

  async #cancelPartition(partition: number, status: string, action: CancelAction): Promise<void> {
    const { commands, keys } = this.deps;
    const leases = keys.in(partition, "leases");
    for (let before: string | number = ""; ; ) {
      const answer = await scripts.listOpen.run(commands, leases, status, CANCELLED_AT_ONCE, before);
      const [time, ...ids] = answer as [number, ...string[]];
      before = time;
      if (ids.length === 0) return;
      const found = ids.flatMap((runId, at) => (at % 2 === 0 ? [{ threadId: ids[at + 1] ?? "", runId }] : []));
      await this.#cancelOpen(found, action);
    }
  }

  /** Those that end or go meanwhile need no cancel. */
  async #cancelOpen(runs: { threadId: string; runId: string }[], action: CancelAction): Promise<void> {
    await Promise.all(
      runs.map(({ threadId, runId }) =>
        this.cancel(threadId, runId, action).catch((error) => {
          if (!(error instanceof RunRefused)) throw error;
        }),
      ),
    );
  }

  #overruleLater(threadId: string, runId: string): void {
    const { commands, keys, log } = this.deps;
    const timer = setTimeout(() => {
      this.#overrules.delete(timer);
      // A failure here leaves it to the next sweep.
      scripts.overrule
        .run(commands, keys.of(threadId, "run", runId), runId)
        .then((word) => (word === "ended" ? this.#confirm({ threadId, runId }, "end") : undefined))
        .catch((error) => log.warn({ event: "overrule_failed", runId, reason: String(error) }, "overrule failed"));
    }, CANCEL_GRACE_MS);
    this.#overrules.add(timer);
  }

  async #confirm({ threadId, runId }: Pick<Run, "threadId" | "runId">, what: Write["what"]): Promise<void> {
    await this.deps.confirm?.(this.deps.keys.of(threadId, "run", runId), { runId, what });
  }

  #remove(threadId: string, runId: string): void {
    // A failure here leaves it to a sweep.
    this.removed(threadId, runId).catch((error) =>
      this.deps.log.warn({ event: "removal_failed", runId, reason: String(error) }, "removal failed"),
    );
  }

  /**
   * Resolves once subscribed: what is published from then on is not missed.
   * @param currentState what a client is told whose place in the stream is gone
   * @throws RunRefused `run_missing`
   */
  follow(threadId: string, runId: string, from: FollowFrom, currentState?: CurrentState): Promise<Follow> {
    return this.#followers.follow(threadId, runId, from, currentState);
  }

  /** The same of all runs of a thread. @throws RunRefused `thread_missing` */
  readonly followThread: Followers["followThread"] = (...args) => this.#followers.followThread(...args);

  /** Stops its timers; cancels that they stood for are left to the sweeps. */
  close(): void {
    this.#followers.close();
    for (const timer of this.#overrules) clearTimeout(timer);
  }
}

function runMissing(threadId: string, runId: string): RunRefused {
  return new RunRefused("run_missing", `run ${runId} of thread ${threadId} does not exist`);
}

function idReused({ runId }: NewRun): RunRefused {
  return new RunRefused("id_reused", `Idempotency-Key ${runId} was used for another request`);
}
