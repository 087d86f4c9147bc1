/** A run as `lua/enqueue.lua` takes it. */
import type { ScriptArgument } from "../redis/scripts.js";
import type { NewRun } from "./types.js";

export interface EnqueueRules {
  /** Within it an owner ends its run, or is overruled. */
  cancelGraceMs: number;
  /**
   * Where a run is told that is to be told there: what its record holds, "" where nothing is sent; not given: as asked.
   * @throws RunRefused `webhook_refused`
   */
  webhooks?: ((address: string) => string) | undefined;
  /** Of threads that runs create; not given: they stay. */
  threadTtl?: { strategy: string; ms: number } | undefined;
}

export function enqueueArguments(run: NewRun, { cancelGraceMs, webhooks, threadTtl }: EnqueueRules): ScriptArgument[] {
  const metadata = JSON.stringify(run.metadata);
  const { webhook = "" } = run.payload;
  return [
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
    cancelGraceMs,
    webhook && (webhooks?.(webhook) ?? webhook),
    threadTtl?.ms ?? "",
    threadTtl?.strategy ?? "",
  ];
}
