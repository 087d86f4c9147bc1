/** A run as callers have it: read from its record, or made of what was asked for where it leaves none. */
import type { MultitaskStrategy, NewRun, Run, RunStatus } from "./types.js";

/** A run as it was asked for: one just accepted, or a stateless one that ended and is known only by its events. */
export function described(run: NewRun, status: RunStatus, createdAt: Date): Run {
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

/** @param fields of its hash */
export function toRun(runId: string, fields: Record<string, string>): Run {
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
