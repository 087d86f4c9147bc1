/**
 * The main thread's half of the heartbeat. The other half is a thread of its own (`heartbeatThread.ts`), because a graph
 * may block this one's loop: leases must live on, cancels be heard and health be told all the same.
 */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { FromThread, HeldRun, Report, ThreadData, ToThread, WorkerCounts } from "./heartbeatWords.js";

/** The thread looks for it four times a second. */
const TURN_MS = 100;
/** Words for which Redis is asked are waited for so long. */
const ANSWERS_WITHIN_MS = 3_000;

export interface Heartbeat {
  /** Of `GET /ok`. */
  readonly port: number;
  /** The thread renews the run's lease until it is dropped. */
  hold(run: HeldRun): void;
  drop(owner: string): void;
  report(report: Report): void;
  count(counts: WorkerCounts): void;
  /** Health turns bad, for good. */
  unfit(reason: string): void;
  /** The worker drains: workers of earlier revisions need not give way to it any more. */
  leave(): void;
  /** Gives all runs up, as one failure each; resolves when Redis has taken them, or after a while. */
  forfeit(): Promise<void>;
  /** @param listener hears what the thread tells; its end, which it must not come to by itself, as an error */
  hear(listener: (word: FromThread) => void, onEnd: (error: Error) => void): void;
  stop(): Promise<void>;
}

/** Why the thread could not start. Without `code` it is Redis that did not answer. */
export class HeartbeatFailed extends Error {
  override name = "HeartbeatFailed";

  constructor(
    message: string,
    readonly code: string | undefined,
    readonly port: number | undefined,
  ) {
    super(message);
  }
}

/** Resolves when health is served and cancels are heard. @throws HeartbeatFailed */
export async function startHeartbeat(settings: Omit<ThreadData, "turns">): Promise<Heartbeat> {
  const turns = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const data: ThreadData = { ...settings, turns };
  const thread = new Worker(new URL("./heartbeatThread.js", import.meta.url), { workerData: data });
  const [first] = (await once(thread, "message")) as [FromThread];
  if (first.kind !== "listening") {
    await thread.terminate();
    if (first.kind === "failed") throw new HeartbeatFailed(first.message, first.code, first.port);
    throw new Error(`the heartbeat began with ${first.kind}`);
  }

  const turning = setInterval(() => Atomics.add(turns, 0, 1), TURN_MS);
  let stopped = false;
  const tell = (word: ToThread) => thread.postMessage(word);
  /** Whatever comes first: the word, the thread's end, or the time. */
  const told = (word: FromThread["kind"]) =>
    new Promise<void>((resolve) => {
      thread.on("message", (heard: FromThread) => heard.kind === word && resolve());
      thread.once("exit", () => resolve());
      void delay(ANSWERS_WITHIN_MS, undefined, { ref: false }).then(resolve);
    });

  return {
    port: first.port,
    hold: ({ runId, threadId, owner }) => tell({ kind: "hold", run: { runId, threadId, owner } }),
    drop: (owner) => tell({ kind: "drop", owner }),
    report: (report) => tell({ kind: "report", report }),
    count: (counts) => tell({ kind: "count", counts }),
    unfit: (reason) => tell({ kind: "unfit", reason }),
    leave: () => tell({ kind: "leave" }),
    async forfeit() {
      const forfeited = told("forfeited");
      tell({ kind: "forfeit" });
      await forfeited;
    },
    hear(listener, onEnd) {
      thread.on("message", listener);
      thread.on("error", onEnd);
      thread.on("exit", () => !stopped && onEnd(new Error("the heartbeat's thread ended")));
    },
    async stop() {
      stopped = true;
      clearInterval(turning);
      const ended = once(thread, "exit");
      tell({ kind: "stop" });
      await Promise.race([ended, delay(ANSWERS_WITHIN_MS, undefined, { ref: false })]);
      await thread.terminate();
    },
  };
}
