/**
 * The queue worker: claims runs as long as it has free slots, executes them side by side, drains at the end.
 *
 * A run leaves its slot when it has left this worker and its nodes have settled: one that ignores its signal costs the
 * slot it would compute in. A worker that such a node has for too long is *unfit*: it drains and must be replaced.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { BaseStore } from "@langchain/langgraph-checkpoint";
import type { Checkpointer } from "../data/checkpoints/checkpointer.js";
import type { Graphs } from "../graphs/load.js";
import type { Redis } from "../redis/connect.js";
import { ALL_PARTITIONS, type Keys } from "../redis/partitions.js";
import type { Persist } from "../redis/persist.js";
import type { Confirm } from "../redis/replication.js";
import { Attempts } from "../runs/attempts.js";
import type { ClaimedRun } from "../runs/types.js";
import type { Log } from "../telemetry/log.js";
import type { Numbers } from "../telemetry/metrics.js";
import { ClaimLoop } from "./claimLoop.js";
import { Execution, type Left } from "./execution.js";
import type { Heartbeat } from "./heartbeat.js";
import type { FromThread } from "./heartbeatWords.js";
import { Slots } from "./slots.js";
import type { TaskProtection } from "./taskProtection.js";

/** After the drain's deadline, what Redis gets to take the runs back. */
const HAND_BACK_MS = 3_000;

export interface WorkerDeps {
  commands: Redis;
  /** Each pops for its share of the partitions; in a cluster one for each, since a pop can't span them. */
  blocking: Redis[];
  heartbeat: Heartbeat;
  keys: Keys;
  graphs: Graphs;
  checkpointer: Checkpointer;
  store: BaseStore;
  persist: Persist;
  confirm?: Confirm;
  /** A run has left this worker that is to be told by webhook. */
  onTold?: () => void;
  settings: {
    runsPerWorker: number;
    leaseMs: number;
    runTimeoutSeconds: number;
    drainSeconds: number;
    abandonedNodeSeconds: number;
    logErrorMessages: boolean;
  };
  protection: TaskProtection;
  log: Log;
}

/** Claims from its construction on. */
export class Worker {
  /** Resolves when the worker has become unfit and has let go of its runs: its process should end. */
  readonly unfit: Promise<void>;
  readonly #attempts: Attempts;
  readonly #slots: Slots<{ execution: Execution; left: Promise<void> }>;
  readonly #loops: ClaimLoop[];
  readonly #left: Partial<Record<Left, number>> & Record<string, number> = {};
  #isUnfit = false;
  #tellUnfit = () => {};
  #superseded = false;
  #drained: Promise<void> | undefined;

  constructor(private readonly deps: WorkerDeps) {
    const { settings, heartbeat } = deps;
    this.unfit = new Promise((resolve) => {
      this.#tellUnfit = resolve;
    });
    this.#attempts = new Attempts(deps.commands, deps.keys, deps.confirm);
    this.#slots = new Slots(settings.runsPerWorker);
    heartbeat.hear(
      (word) => this.#heed(word),
      // Nobody renews the leases any more: there is no time for another step.
      (error) => this.#becomeUnfit({ event: "heartbeat_ended", error: error.name }, "the heartbeat's thread ended", 0),
    );
    this.#loops = deps.blocking.map((blocking, at) => this.#claimLoop(blocking, at));
    for (const loop of this.#loops) loop.start();
  }

  /** How many runs have left this worker, by how. */
  get left(): Numbers {
    return this.#left;
  }

  /** Runs whose slot is taken now. */
  get running(): number {
    return this.#slots.used;
  }

  /**
   * Claims nothing more and lets go of its runs: those with checkpoints move at their next superstep, the others may end;
   * at the deadline what is left is stopped and handed back. Resolves when none is left.
   */
  drain(withinSeconds = this.deps.settings.drainSeconds): Promise<void> {
    this.#drained ??= this.#drain(withinSeconds);
    return this.#drained;
  }

  /** Gives all runs up at once, as a failure each: code of one of them may have brought the process down. */
  async forfeit(): Promise<void> {
    this.#slots.close();
    await this.deps.heartbeat.forfeit();
  }

  #claimLoop(blocking: Redis, at: number): ClaimLoop {
    const { deps } = this;
    return new ClaimLoop({
      attempts: this.#attempts,
      blocking,
      partitions: ALL_PARTITIONS.filter((partition) => partition % deps.blocking.length === at),
      keys: deps.keys,
      slots: this.#slots,
      graphs: deps.graphs.ids,
      leaseMs: deps.settings.leaseMs,
      onRun: (run) => void this.#execute(run),
      log: deps.log,
    });
  }

  async #execute(run: ClaimedRun): Promise<void> {
    const { deps } = this;
    const execution = new Execution(run, { ...deps, ...deps.settings, attempts: this.#attempts });
    deps.heartbeat.hold(run);
    const left = execution.done().then((how) => {
      this.#left[how] = (this.#left[how] ?? 0) + 1;
      deps.heartbeat.drop(run.owner);
    });
    this.#slots.take(run.owner, { execution, left });
    this.#report();
    deps.protection.busy();
    if (this.#superseded) execution.requestDrain();
    await left;
    if (run.payload.webhook !== undefined) deps.onTold?.();
    await this.#settled(execution);
    this.#slots.release(run.owner);
    this.#report();
    if (this.#slots.used === 0) deps.protection.idle();
  }

  async #settled(execution: Execution): Promise<void> {
    const { abandonedNodeSeconds: seconds } = this.deps.settings;
    const { runId, graphId } = execution.run;
    const late = setTimeout(() => {
      const what = { event: "node_abandoned", runId, graphId };
      this.#becomeUnfit(what, `a node of run ${runId} has ignored its signal for ${seconds} s`);
    }, seconds * 1000);
    await execution.settled();
    clearTimeout(late);
  }

  #heed(word: FromThread): void {
    const { log } = this.deps;
    if (word.kind === "attention") this.#slots.get(word.attention.owner)?.execution.stop(word.attention.word);
    if (word.kind === "outage") {
      log.error({ event: "outage", runs: this.running }, "Redis is away for too long: the runs will be handed back");
      for (const { execution } of this.#slots.values()) execution.stop("outage");
    }
    if (word.kind === "superseded") this.#giveWay(word.by);
  }

  /** A deploy goes on: the workers of the later revision take over, for as long as there are any. */
  #giveWay(to: number | undefined): void {
    const { log, protection } = this.deps;
    this.#superseded = to !== undefined;
    protection.giveWay(this.#superseded);
    if (to === undefined) {
      log.info({ event: "claiming_again" }, "no worker of a later revision is there any more: claiming again");
      for (const loop of this.#loops) loop.resume();
      return;
    }
    log.info({ event: "superseded", by: to }, "a worker of a later revision is there: claiming nothing more");
    for (const loop of this.#loops) loop.pause();
    for (const { execution } of this.#slots.values()) execution.requestDrain();
  }

  async #drain(seconds: number): Promise<void> {
    const { log, protection, heartbeat } = this.deps;
    heartbeat.leave();
    this.#slots.close();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    const held = this.#slots.values();
    log.info({ event: "draining", runs: held.length, seconds }, "draining");
    for (const { execution } of held) execution.requestDrain();
    const all = Promise.all(held.map(({ left }) => left));
    const deadline = new AbortController();
    await Promise.race([all, delay(seconds * 1000, undefined, { signal: deadline.signal }).catch(() => {})]);
    deadline.abort();
    for (const { execution } of held) execution.stop("drain");
    const handedBack = setTimeout(() => {
      for (const { execution } of held) execution.abandon();
    }, HAND_BACK_MS);
    await all;
    clearTimeout(handedBack);
    await protection.end();
  }

  #becomeUnfit(what: Record<string, unknown>, reason: string, drainSeconds?: number): void {
    if (this.#isUnfit) return;
    this.#isUnfit = true;
    this.deps.log.fatal(what, reason);
    this.deps.heartbeat.unfit(reason);
    void this.drain(drainSeconds).then(this.#tellUnfit);
  }

  #report(): void {
    this.deps.heartbeat.report({ running: this.#slots.used });
  }
}
