/** What the cases of the JavaScript SDK share: the shapes of what comes back, and the graphs' ids. */
import type { Client } from "@langchain/langgraph-sdk";
import { systemAssistantId } from "../../../app/graphs/assistants.js";
import { until } from "../../support/until.js";
import {
  anything,
  type Check,
  each,
  having,
  is,
  isRecord,
  must,
  number,
  object,
  text,
  time,
  uuid,
  type Wanted,
} from "../shape.js";

/** A stream's events, as the SDK yields them. */
export interface Chunk {
  id?: string | undefined;
  event: string;
  data: unknown;
}

export async function collect(stream: AsyncIterable<Chunk>, seen: (chunk: Chunk) => void = () => {}): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
    seen(chunk);
  }
  return chunks;
}

export const eventsOf = (chunks: Chunk[]): string[] => chunks.map(({ event }) => event);

export const idOf = systemAssistantId;

export const assistant = (more: Record<string, Wanted> = {}): Wanted => ({
  ...{ assistant_id: uuid, graph_id: "steps", name: "Untitled", description: null, config: {}, context: {} },
  ...{ metadata: {}, version: 1, created_at: time, updated_at: time },
  ...more,
});

export const thread = (more: Record<string, Wanted> = {}): Wanted => ({
  ...{ thread_id: uuid, created_at: time, updated_at: time, state_updated_at: time, metadata: {} },
  ...{ config: object, status: "idle", values: null, interrupts: {} },
  ...more,
});

export const run = (graph: string, more: Record<string, Wanted> = {}): Wanted => ({
  ...{ run_id: uuid, thread_id: uuid, assistant_id: idOf(graph), created_at: time, updated_at: time },
  ...{ status: "pending", metadata: having({ graph_id: graph, assistant_id: idOf(graph) }) },
  ...{ kwargs: object, multitask_strategy: "enqueue" },
  ...more,
});

/** @param threadId whose checkpoint it is */
export const checkpoint =
  (threadId: string, more: Record<string, Wanted> = {}): Check =>
  (value) => {
    const wanted: Record<string, Wanted> = { thread_id: threadId, checkpoint_ns: "", checkpoint_id: uuid, ...more };
    if (isRecord(value) && "checkpoint_map" in value && !("checkpoint_map" in more)) wanted.checkpoint_map = anything;
    try {
      must(value, wanted, "");
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };

export const state = (threadId: string, more: Record<string, Wanted> = {}): Wanted => ({
  ...{ values: {}, next: [], tasks: [], checkpoint: checkpoint(threadId) },
  ...{ metadata: having({ source: text, step: number }), created_at: time, parent_checkpoint: checkpoint(threadId) },
  interrupts: [],
  ...more,
});

export const task = (name: string, more: Record<string, Wanted> = {}): Wanted => ({
  ...{ id: text, name, path: each(anything), error: null, interrupts: [], checkpoint: null, state: null },
  result: anything,
  ...more,
});

/** The answer is an HTTP error whose body is `{"detail": "…"}`. */
export async function refused(asked: Promise<unknown>, status: number, detail: RegExp): Promise<void> {
  const error = await asked.then(
    (value) => new Error(`it was not refused: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  must(
    error,
    is(`an HTTP ${status} that says ${detail}`, (value) => {
      if (!(value instanceof Error) || !("status" in value) || value.status !== status) return false;
      const [, body = ""] = /^HTTP \d+: ([\s\S]*)$/.exec(value.message) ?? [];
      const parsed: unknown = JSON.parse(body);
      return isRecord(parsed) && Object.keys(parsed).join() === "detail" && detail.test(String(parsed.detail));
    }),
    error instanceof Error ? `${error.message}:` : "refusal",
  );
}

export async function newThread(client: Client): Promise<string> {
  return (await client.threads.create()).thread_id;
}

/** A thread on which the graph has run. */
export async function ranOn(client: Client, graph: string, input: Record<string, unknown>): Promise<string> {
  const threadId = await newThread(client);
  await client.runs.wait(threadId, graph, { input });
  return threadId;
}

/** Asks until it is so. */
export const eventually = (check: () => Promise<void>): Promise<void> =>
  until(check, { interval: 30, timeout: 20_000 });

export async function running(client: Client, threadId: string, runId: string): Promise<void> {
  await eventually(async () => must((await client.runs.get(threadId, runId)).status, "running", "status"));
}
