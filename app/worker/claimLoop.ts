/**
 * How a worker gets runs: it blocks on the wake tokens of its graphs in all partitions and claims one run for each token.
 * Nothing polls: an idle worker is woken within a millisecond, and only one is (measured: waking all by PubSub costs twice
 * the Redis CPU at sixteen workers). One run a token, not all that fit, spreads a burst over the workers that are free.
 *
 * A token can be lost with a worker, and delayed runs become due without one: each time-out of the pop, at most two
 * seconds, asks every partition to promote what is due and to heal its tokens.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "../redis/connect.js";
import { type Keys, PARTITIONS } from "../redis/partitions.js";
import type { Attempts } from "../runs/attempts.js";
import type { ClaimedRun } from "../runs/types.js";
import type { Log } from "../telemetry/log.js";
import type { Slots } from "./slots.js";

const LONGEST_POP_SECONDS = 2;
const SHORTEST_POP_SECONDS = 0.01;
const AFTER_ERROR_MS = 200;

interface WakeKey {
  key: string;
  partition: number;
  graph: string;
}

export class ClaimLoop {
  readonly #wakeKeys: WakeKey[];
  readonly #byKey: Map<string, WakeKey>;
  #rotation = 0;
  #popSeconds = LONGEST_POP_SECONDS;
  #stopped = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(
    private readonly deps: {
      attempts: Attempts;
      /** Used for the blocking pop alone. */
      blocking: Redis;
      keys: Keys;
      slots: Slots;
      graphs: string[];
      leaseMs: number;
      onRun: (run: ClaimedRun) => void;
      log: Log;
    },
  ) {
    this.#wakeKeys = deps.graphs.flatMap((graph) =>
      Array.from({ length: PARTITIONS }, (_, partition) => ({
        key: deps.keys.in(partition, "wake", graph),
        partition,
        graph,
      })),
    );
    this.#byKey = new Map(this.#wakeKeys.map((wake) => [wake.key, wake]));
  }

  start(): void {
    this.#ended = this.#loop();
  }

  /** Claims nothing more. A claim under way still hands out its runs before this resolves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.deps.slots.wakeWaiting();
    // The pop would hold the stop up to its time-out, and take a token that another worker should have.
    this.deps.blocking.disconnect();
    await this.#ended;
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.deps.slots.free();
        if (this.#stopped) return;
        const wake = await this.#pop();
        if (wake) await this.#claim(wake.partition, [wake.graph], 1);
        else await this.#heal();
      } catch (error) {
        if (this.#stopped) return;
        this.deps.log.warn({ event: "claim_failed", reason: String(error) }, "could not claim; trying again");
        await delay(AFTER_ERROR_MS);
      }
    }
  }

  async #pop(): Promise<WakeKey | undefined> {
    // The pop serves its keys in order: another one comes first each time, so that none starves.
    this.#rotation = (this.#rotation + 1) % this.#wakeKeys.length;
    const order = [...this.#wakeKeys.slice(this.#rotation), ...this.#wakeKeys.slice(0, this.#rotation)];
    const keys = order.map(({ key }) => key);
    const popped = await this.deps.blocking.blpop(...keys, this.#popSeconds);
    return popped ? this.#byKey.get(popped[0]) : undefined;
  }

  async #heal(): Promise<void> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const dueInMs = await Promise.all(partitions.map((partition) => this.#claim(partition, this.deps.graphs, 0)));
    const next = Math.min(LONGEST_POP_SECONDS, ...dueInMs.map((due) => (due ?? Number.POSITIVE_INFINITY) / 1000));
    this.#popSeconds = Math.max(SHORTEST_POP_SECONDS, next);
  }

  async #claim(partition: number, graphs: string[], limit: number): Promise<number | undefined> {
    const { attempts, leaseMs, onRun } = this.deps;
    const { runs, dueInMs } = await attempts.claim(partition, graphs, limit, leaseMs);
    for (const run of runs) onRun(run);
    if (dueInMs !== undefined)
      this.#popSeconds = Math.max(SHORTEST_POP_SECONDS, Math.min(this.#popSeconds, dueInMs / 1000));
    return dueInMs;
  }
}
