/**
 * What a worker does with the runs that it claims. Every write carries the claim's nonce (`owner`) and is refused once
 * another attempt owns the run: `lost` tells the worker to stop, and that nothing it still does can be seen.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isAway } from "../redis/away.js";
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import type { Confirm } from "../redis/replication.js";
import { scripts } from "./scripts.js";
import type { ClaimedRun, Lifetime, TerminalStatus, ThreadStatus } from "./types.js";

const ASK_AGAIN_MS = 100;

/** An event before Redis numbers it for the thread: SSE name and JSON text. */
export interface NewEvent {
  event: string;
  data: string;
}

export interface Outcome {
  status: TerminalStatus;
  threadStatus: Exclude<ThreadStatus, "busy">;
  /** JSON: what wait and join answer. */
  answer: string;
  /** JSON of the thread's values and its open interrupts by task; undefined leaves the thread's as they are. */
  state?: { values: string; interrupts: string } | undefined;
  /** JSON `{error, message}` of a run that failed. */
  error?: string | undefined;
}

/** What the worker learns about a run that it holds, by the claim's nonce: it may hold another attempt of the same run. */
export type Attention = { owner: string; word: "lost" | "interrupt" };

export class Attempts {
  /** Connections that were lost: the client sends again what was under way on them, and Redis may do it twice. */
  #losses = 0;

  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
    /** Waits until a replica has a run's end. */
    private readonly confirm?: Confirm,
  ) {
    // Of a cluster: that to one of its nodes.
    for (const event of ["close", "-node"]) redis.on(event, () => this.#losses++);
  }

  /**
   * Claims up to `limit` runs of these graphs in a partition; 0 only promotes runs that are due. An answer that got lost
   * is asked for again as long as the leases last: runs that nobody knows of would wait for them to expire. What a call
   * that was sent twice claimed beyond the limit is handed back.
   * @returns the runs, and in how many ms the partition's next delayed run is due
   */
  async claim(
    partition: number,
    graphs: string[],
    limit: number,
    leaseMs: number,
  ): Promise<{ runs: ClaimedRun[]; dueInMs: number | undefined }> {
    const owner = randomBytes(12).toString("base64url");
    const key = this.keys.in(partition, "leases");
    const asked = performance.now();
    const mayAskAgain = () => limit > 0 && performance.now() - asked <= leaseMs;
    for (let again = 0; ; again = 1) {
      const losses = this.#losses;
      try {
        const answer = await scripts.claim.run(this.redis, key, limit, owner, leaseMs, again, ...graphs);
        if (losses !== this.#losses && mayAskAgain()) continue;
        const [dueIn, ...rows] = answer as [number, ...string[][]];
        const runs = await this.#stillHeld(rows.map(toClaimed), partition, leaseMs, asked);
        // One that can't be handed back is left to its lease.
        await Promise.allSettled(runs.splice(limit).map((run) => this.release(run)));
        return { runs, dueInMs: dueIn < 0 ? undefined : dueIn };
      } catch (error) {
        if (!isAway(error) || !mayAskAgain()) throw error;
        // A cluster's client refuses at once while it knows no node: without a pause nothing else would have its turn.
        await delay(ASK_AGAIN_MS);
      }
    }
  }

  /**
   * An answer may lie unread in a process whose loop a graph blocks, and nobody renews the leases meanwhile. What another
   * attempt has taken since must not begin here as well.
   */
  async #stillHeld(runs: ClaimedRun[], partition: number, leaseMs: number, asked: number): Promise<ClaimedRun[]> {
    if (runs.length === 0 || performance.now() - asked < leaseMs / 2) return runs;
    const attention = await this.heartbeat(partition, runs, leaseMs);
    const lost = new Set(attention.flatMap(({ owner, word }) => (word === "lost" ? [owner] : [])));
    return runs.filter(({ owner }) => !lost.has(owner));
  }

  /**
   * Stores and publishes events; storing them again is no error and no repetition.
   * @param first seq of the first event within the attempt; the attempt's `metadata` event is 0
   * @returns `lost`, or the action of a cancel that was accepted, if any
   */
  async append(run: ClaimedRun, first: number, events: NewEvent[]): Promise<"kept" | "lost" | "interrupt"> {
    const [word, cancel] = (await scripts.append.run(
      this.redis,
      this.#key(run),
      ...identity(run),
      first,
      ...flat(events),
    )) as ["kept" | "lost", string?];
    return word === "kept" && cancel === "interrupt" ? "interrupt" : word;
  }

  /** Ends the run, with the events that were not yet stored. */
  async finish(run: ClaimedRun, outcome: Outcome, first: number, events: NewEvent[]): Promise<"ended" | "lost"> {
    const word = (await scripts.finish.run(
      this.redis,
      this.#key(run),
      ...identity(run),
      first,
      outcome.status,
      outcome.threadStatus,
      outcome.answer,
      outcome.state?.values ?? "",
      outcome.state?.interrupts ?? "",
      outcome.error ?? "",
      ...flat(events),
    )) as "ended" | "lost";
    if (word === "ended") await this.confirm?.(this.#key(run), { runId: run.runId, what: "end" });
    return word;
  }

  /** Hands the run back; it counts as no failure and keeps its place. */
  async release(run: ClaimedRun): Promise<"released" | "ended" | "lost"> {
    const key = this.#key(run);
    return (await scripts.release.run(this.redis, key, run.runId, run.threadId, run.owner)) as "released";
  }

  /** Renews the leases of all runs held, one call a partition. @param leaseMs 0 gives them up to the next sweep */
  async heartbeat(
    partition: number,
    runs: Pick<ClaimedRun, "runId" | "owner">[],
    leaseMs: number,
  ): Promise<Attention[]> {
    const held = runs.flatMap((run) => [run.runId, run.owner]);
    const words = (await scripts.heartbeat.run(
      this.redis,
      this.keys.in(partition, "leases"),
      leaseMs,
      ...held,
    )) as string[];
    const attention: Attention[] = [];
    for (let index = 0; index + 1 < words.length; index += 2)
      attention.push({ owner: words[index] ?? "", word: words[index + 1] as Attention["word"] });
    return attention;
  }

  /** Ends a cancelled run that its owner's main thread does not end. */
  async overrule(run: Pick<ClaimedRun, "runId" | "threadId">): Promise<"ended" | "not_needed"> {
    const word = (await scripts.overrule.run(this.redis, this.#key(run), run.runId)) as "ended" | "not_needed";
    if (word === "ended") await this.confirm?.(this.#key(run), { runId: run.runId, what: "end" });
    return word;
  }

  #key(run: Pick<ClaimedRun, "runId" | "threadId">): string {
    return this.keys.of(run.threadId, "run", run.runId);
  }
}

/** Who writes, as the scripts take it. */
function identity(run: ClaimedRun): (string | number)[] {
  return [run.runId, run.threadId, run.owner, run.attempt];
}

function flat(events: NewEvent[]): string[] {
  return events.flatMap(({ event, data }) => [event, data]);
}

function toClaimed([runId, owner, ...fields]: string[]): ClaimedRun {
  const [threadId, assistantId, graphId, lifetime, attempt, runningMs, metadata, payload] = fields;
  return {
    runId: runId ?? "",
    owner: owner ?? "",
    threadId: threadId ?? "",
    assistantId: assistantId ?? "",
    graphId: graphId ?? "",
    lifetime: lifetime as Lifetime,
    attempt: Number(attempt),
    runningMs: Number(runningMs),
    metadata: JSON.parse(metadata ?? "{}"),
    payload: JSON.parse(payload ?? "{}"),
  };
}
