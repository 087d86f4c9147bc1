/**
 * How a worker gets runs: it blocks on the wake tokens of its graphs and claims one run for each token. Nothing polls: an
 * idle worker is woken within a millisecond, and only one is (measured: waking all by PubSub costs twice the Redis CPU at
 * sixteen workers). One run a token, not all that fit, spreads a burst over the workers that are free.
 *
 * Standalone, one loop serves all partitions. In a cluster a pop can't span them, so a worker has a loop for each, and
 * together these may pop more tokens than it has slots. No run is claimed without a slot reserved for it:
 *   - A loop blocks without a slot, or it would keep it from the others. With a token it reserves one; where none is left,
 *     it hands the token back, and another worker has it a millisecond later.
 *   - A loop that finds all slots taken waits for one in line. Runs may have queued up meanwhile, so it keeps the slot while
 *     it looks for a token without blocking, and then passes it on or claims: a backlog costs two calls a run, not a pop
 *     and a token handed back for each loop.
 *
 * A token can be lost with a worker, and delayed runs become due without one: each time-out of the pop, at most two
 * seconds, asks the loop's partitions to promote what is due and to heal their tokens.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
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
  /** While the loop is to claim nothing; the promise resolves when it may again. */
  #paused: { until: Promise<void>; resume: () => void } | undefined;
  #claiming: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly deps: {
      attempts: Attempts;
      /** Used for this loop's pops alone. */
      blocking: Redis;
      partitions: number[];
      keys: Keys;
      slots: Slots;
      graphs: string[];
      leaseMs: number;
      /** Puts the run into the slot that was reserved for it. */
      onRun: (run: ClaimedRun) => void;
      log: Log;
    },
  ) {
    this.#wakeKeys = deps.graphs.flatMap((graph) =>
      deps.partitions.map((partition) => ({ key: deps.keys.in(partition, "wake", graph), partition, graph })),
    );
    this.#byKey = new Map(this.#wakeKeys.map((wake) => [wake.key, wake]));
  }

  start(): void {
    void this.#loop();
  }

  /** Claims nothing until `resume`: a token that its pop under way still gets is handed back. */
  pause(): void {
    let resume = () => {};
    const until = new Promise<void>((resolve) => {
      resume = resolve;
    });
    this.#paused ??= { until, resume };
  }

  resume(): void {
    this.#paused?.resume();
    this.#paused = undefined;
  }

  /** Claims nothing more. A claim under way still hands out its runs before this resolves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.resume();
    // The pop would take a token that another worker should have. Nobody waits for how it ends.
    this.deps.blocking.disconnect();
    await this.#claiming.catch(() => {});
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#paused?.until;
        if (this.#stopped) return;
        await this.#turn();
      } catch (error) {
        if (this.#stopped) return;
        this.deps.log.warn({ event: "claim_failed", reason: String(error) }, "could not claim; trying again");
        await delay(AFTER_ERROR_MS);
      }
    }
  }

  async #turn(): Promise<void> {
    const { slots, blocking } = this.deps;
    if (slots.full) {
      if (!(await slots.reserve())) return;
      const keys = this.#keysInTurn();
      if (await this.#claimOne(() => blocking.lmpop(keys.length, ...keys, "LEFT"))) return;
    }
    const popped = await blocking.blpop(...this.#keysInTurn(), this.#popSeconds);
    if (!popped) await this.#heal();
    else if (slots.tryReserve()) await this.#claimOne(async () => popped);
    else await this.#claim(popped[0], 0);
  }

  /** The keys are served in order: another one comes first each time, so that none starves. */
  #keysInTurn(): string[] {
    this.#rotation = (this.#rotation + 1) % this.#wakeKeys.length;
    return [...this.#wakeKeys.slice(this.#rotation), ...this.#wakeKeys.slice(0, this.#rotation)].map(({ key }) => key);
  }

  /** Claims for a token, into the slot that is reserved. @returns whether there was a token */
  async #claimOne(pop: () => Promise<[key: string, ...unknown[]] | null>): Promise<boolean> {
    let claimed = 0;
    try {
      const popped = await pop();
      if (popped) claimed = await this.#claim(popped[0], 1);
      return popped !== null;
    } finally {
      if (claimed === 0) this.deps.slots.giveBack();
    }
  }

  /** @param limit 0 hands the token back @returns the number of runs claimed */
  async #claim(token: string, limit: 0 | 1): Promise<number> {
    const wake = this.#byKey.get(token);
    if (!wake) throw new Error(`Redis answered another key than was asked for: ${token}`);
    // A pop may have ended while the loop was stopped or paused.
    const least = this.#stopped || this.#paused ? 0 : limit;
    const { runs, dueInMs } = await this.#ask(wake.partition, [wake.graph], least);
    if (dueInMs !== undefined) this.#popWithin(Math.min(this.#popSeconds, dueInMs / 1000));
    return runs.length;
  }

  async #heal(): Promise<void> {
    const { partitions, graphs } = this.deps;
    const answers = await Promise.all(partitions.map((partition) => this.#ask(partition, graphs, 0)));
    const due = answers.map(({ dueInMs }) => (dueInMs ?? Number.POSITIVE_INFINITY) / 1000);
    this.#popWithin(Math.min(LONGEST_POP_SECONDS, ...due));
  }

  #popWithin(seconds: number): void {
    this.#popSeconds = Math.max(SHORTEST_POP_SECONDS, seconds);
  }

  #ask(partition: number, graphs: string[], limit: number): ReturnType<Attempts["claim"]> {
    const { attempts, leaseMs, onRun } = this.deps;
    const asking = attempts.claim(partition, graphs, limit, leaseMs).then((answer) => {
      for (const run of answer.runs) onRun(run);
      return answer;
    });
    this.#claiming = asking;
    return asking;
  }
}
