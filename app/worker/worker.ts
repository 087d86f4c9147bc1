/** The queue worker: claims runs as long as it has free slots, executes them side by side, drains at the end. */
import { setTimeout as delay } from "node:timers/promises";
import type { Checkpointer } from "../data/checkpoints/checkpointer.js";
import type { Graphs } from "../graphs/load.js";
import type { Redis } from "../redis/connect.js";
import { type Keys, PARTITIONS } from "../redis/partitions.js";
import type { Persist } from "../redis/persist.js";
import { Attempts, type Attention } from "../runs/attempts.js";
import { hearCancels } from "../runs/control.js";
import type { ClaimedRun } from "../runs/types.js";
import type { Log } from "../telemetry/log.js";
import { ClaimLoop } from "./claimLoop.js";
import { Execution } from "./execution.js";
import { startHeartbeat } from "./heartbeat.js";
import { Slots } from "./slots.js";
import type { TaskProtection } from "./taskProtection.js";

/** After the drain's deadline, what Redis gets to take the runs back. */
const HAND_BACK_MS = 3_000;

export interface WorkerDeps {
  commands: Redis;
  /** Each pops for its share of the partitions; in a cluster one for each, since a pop can't span them. */
  blocking: Redis[];
  subscriber: Redis;
  keys: Keys;
  graphs: Graphs;
  checkpointer: Checkpointer;
  persist: Persist;
  settings: {
    runsPerWorker: number;
    leaseMs: number;
    heartbeatMs: number;
    runTimeoutSeconds: number;
    drainSeconds: number;
    logErrorMessages: boolean;
  };
  protection: TaskProtection;
  log: Log;
}

export interface Worker {
  /** Runs that it executes now. */
  readonly running: number;
  /**
   * Claims nothing more and lets go of its runs: those with checkpoints move at their next superstep, the others may end;
   * at the deadline what is left is stopped and handed back. Resolves when none is left.
   */
  drain(): Promise<void>;
}

/** Starts to claim once it hears cancels. */
export async function startWorker(deps: WorkerDeps): Promise<Worker> {
  const { settings, log } = deps;
  const attempts = new Attempts(deps.commands, deps.keys);
  const slots = new Slots<{ execution: Execution; done: Promise<void> }>(settings.runsPerWorker);

  const onRun = (run: ClaimedRun) => {
    const execution = new Execution(run, { ...deps, ...settings, attempts });
    const done = execution.done().finally(() => {
      slots.release(run.owner);
      if (slots.used === 0) deps.protection.idle();
    });
    slots.take(run.owner, { execution, done });
    deps.protection.busy();
  };
  const onAttention = ({ owner, word }: Attention) => slots.get(owner)?.execution.stop(word);

  await hearCancels(deps.subscriber, deps.keys, onAttention);
  const stopHeartbeat = startHeartbeat({
    attempts,
    heartbeatMs: settings.heartbeatMs,
    leaseMs: settings.leaseMs,
    held: () => slots.values().map(({ execution }) => execution.run),
    onAttention,
    log,
  });
  const graphs = deps.graphs.ids;
  const loops = deps.blocking.map((blocking, at) => {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition).filter(
      (partition) => partition % deps.blocking.length === at,
    );
    return new ClaimLoop({ ...deps, blocking, partitions, attempts, slots, graphs, leaseMs: settings.leaseMs, onRun });
  });
  for (const loop of loops) loop.start();

  return {
    get running() {
      return slots.used;
    },
    async drain() {
      slots.close();
      await Promise.all(loops.map((loop) => loop.stop()));
      const held = slots.values();
      log.info({ event: "draining", runs: held.length, seconds: settings.drainSeconds }, "draining");
      for (const { execution } of held) execution.requestDrain();
      const all = Promise.all(held.map(({ done }) => done));
      const deadline = new AbortController();
      await Promise.race([
        all,
        delay(settings.drainSeconds * 1000, undefined, { signal: deadline.signal }).catch(() => {}),
      ]);
      deadline.abort();
      for (const { execution } of slots.values()) execution.stop("drain");
      const handedBack = setTimeout(() => {
        for (const { execution } of slots.values()) execution.abandon();
      }, HAND_BACK_MS);
      await all;
      clearTimeout(handedBack);
      stopHeartbeat();
      await deps.protection.end();
    },
  };
}
