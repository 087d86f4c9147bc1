/** What a receiver gets: the run as the API shows it, when it began and ended, and the state that it left. */
import { publicMetadata } from "../graphs/state.js";

/** @param told the fields of `webhook:<run>` (`runs/lua/include/webhook.lua`) @returns JSON */
export function webhookBody(runId: string, told: Record<string, string>, sentAt: Date): string {
  const { started_at: startedAt, error } = told;
  const run = {
    run_id: runId,
    thread_id: told.thread_id,
    assistant_id: told.assistant_id,
    created_at: time(told.created_at),
    updated_at: time(told.updated_at),
    status: told.status,
    metadata: JSON.parse(told.metadata ?? "{}"),
    kwargs: kwargs(JSON.parse(told.payload ?? "{}")),
    multitask_strategy: told.strategy,
    run_started_at: startedAt === undefined ? null : time(startedAt),
    run_ended_at: time(told.ended_at),
    webhook_sent_at: sentAt.toISOString(),
  };
  // As the graph's worker wrote it: parsed and written again, large numbers would change.
  const values = `,"values":${told.values || "null"}`;
  return `${JSON.stringify(run).slice(0, -1)}${values}${error ? `,"error":${error}` : ""}}`;
}

interface Payload {
  config?: { configurable?: Record<string, unknown> };
  stream_subgraphs?: boolean;
  stream_resumable?: boolean;
}

/** Credentials that a graph is configured with are not for whoever is told of its run. */
function kwargs({ stream_subgraphs, stream_resumable, config, ...payload }: Payload): Record<string, unknown> {
  const configurable = publicMetadata(config?.configurable ?? {});
  const shown = { subgraphs: stream_subgraphs ?? false, resumable: stream_resumable ?? false };
  return { ...payload, config: { ...config, configurable }, ...shown };
}

const time = (ms: string | undefined) => new Date(Number(ms)).toISOString();
