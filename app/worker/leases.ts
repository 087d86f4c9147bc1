/**
 * The leases of the runs that a worker holds: renewed by one call a partition, whose answers repeat what the control
 * channel may have lost. A cancelled run that the worker does not end, because its loop is blocked, is ended here.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "../redis/connect.js";
import { type Keys, partitionOf } from "../redis/partitions.js";
import type { Confirm } from "../redis/replication.js";
import type { Attempts, Attention } from "../runs/attempts.js";
import { heal } from "../runs/sweeper.js";
import type { Log } from "../telemetry/log.js";
import type { HeldRun } from "./heartbeatWords.js";

/** From the word of a cancel to the terminal status, where the main thread does not write it. */
const CANCEL_GRACE_MS = 500;
/** The next beat does not wait longer for a node that doesn't answer. */
const ANSWERS_WITHIN_MS = 1_000;

export interface LeasesDeps {
  redis: Redis;
  keys: Keys;
  attempts: Attempts;
  confirm?: Confirm | undefined;
  settings: { leaseMs: number; sweepMs: number; maxFailures: number };
  /** Tells the main thread. */
  tell: (attention: Attention) => void;
  log: Log;
}

export class Leases {
  readonly #held = new Map<string, HeldRun>();
  /** Partitions whose call Redis has not yet answered. */
  readonly #underWay = new Set<number>();
  /** Cancelled runs, until the main thread drops them or the grace is over. */
  readonly #cancelled = new Map<string, NodeJS.Timeout>();
  #givenUp = false;

  constructor(private readonly deps: LeasesDeps) {}

  get size(): number {
    return this.#held.size;
  }

  hold(run: HeldRun): void {
    this.#held.set(run.owner, run);
  }

  drop(owner: string): void {
    this.#held.delete(owner);
    clearTimeout(this.#cancelled.get(owner));
    this.#cancelled.delete(owner);
  }

  /** A word from the control channel, which every worker hears, or from a beat. */
  hear(attention: Attention): void {
    const { owner, word } = attention;
    const run = this.#held.get(owner);
    if (!run) return;
    this.deps.tell(attention);
    if (word === "lost") this.drop(owner);
    else if (!this.#cancelled.has(owner))
      this.#cancelled.set(
        owner,
        setTimeout(() => void this.#overrule(run), CANCEL_GRACE_MS),
      );
  }

  /**
   * Renews all leases, each partition for itself: one whose node is lost must not keep the others from theirs.
   * @returns whether Redis answered; in a cluster, whether any node did
   */
  async renew(): Promise<boolean> {
    const partitions = [...this.#byPartition()];
    if (this.#givenUp || partitions.length === 0) return true;
    let answered = false;
    const renewing = partitions.map(async ([partition, runs]) => {
      // A call that its node doesn't answer must not pile up others behind it.
      if (this.#underWay.has(partition)) return;
      this.#underWay.add(partition);
      if (await this.#renewIn(partition, runs)) answered = true;
      this.#underWay.delete(partition);
    });
    await Promise.race([Promise.all(renewing), delay(ANSWERS_WITHIN_MS, undefined, { ref: false })]);
    return answered;
  }

  async #renewIn(partition: number, runs: HeldRun[]): Promise<boolean> {
    try {
      const attention = await this.deps.attempts.heartbeat(partition, runs, this.deps.settings.leaseMs);
      for (const each of attention) this.hear(each);
      return true;
    } catch (error) {
      this.deps.log.warn({ event: "heartbeat_failed", reason: String(error) }, "heartbeat failed");
      return false;
    }
  }

  /**
   * Lets all leases end now and sweeps them: each run is ready again, or at its limit of failures ended, without waiting
   * for its lease. A first sweep goes before: one that finds the last one long ago only makes leases longer.
   */
  async forfeit(): Promise<void> {
    const { settings } = this.deps;
    this.#givenUp = true;
    await heal(this.deps, settings);
    await Promise.all(
      [...this.#byPartition()].map(([partition, runs]) => this.deps.attempts.heartbeat(partition, runs, 0)),
    );
    await heal(this.deps, settings);
  }

  close(): void {
    for (const timer of this.#cancelled.values()) clearTimeout(timer);
  }

  async #overrule(run: HeldRun): Promise<void> {
    this.#cancelled.delete(run.owner);
    try {
      if ((await this.deps.attempts.overrule(run)) !== "ended") return;
    } catch (error) {
      // The next beat brings the word of the cancel again.
      this.deps.log.warn({ event: "overrule_failed", runId: run.runId, reason: String(error) }, "overrule failed");
      return;
    }
    this.deps.log.warn({ event: "run_overruled", runId: run.runId }, "cancelled; its worker had not ended it");
    this.hear({ owner: run.owner, word: "lost" });
  }

  #byPartition(): Map<number, HeldRun[]> {
    const byPartition = new Map<number, HeldRun[]>();
    for (const run of this.#held.values()) {
      const partition = partitionOf(run.threadId);
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), run]);
    }
    return byPartition;
  }
}
