/** What is asked of both sides, in the same order, each with its own ids. */
import type { Exchange, Exchanges } from "../exchange.js";

export interface Scenario {
  name: string;
  run(side: Exchanges): Promise<void>;
}

export const scenario = (name: string, run: Scenario["run"]): Scenario => ({ name, run });

/** A uuid that nobody has made. */
export const UNKNOWN = "00000000-0000-4000-8000-000000000000";

/** Of an answer that must be an object with this text: without it the scenario can't go on. */
export function textOf({ operation, status, body }: Exchange, field: string): string {
  const value = typeof body === "object" && body !== null ? Reflect.get(body, field) : undefined;
  if (typeof value === "string") return value;
  throw new Error(`${operation} answered ${status} without ${field}: ${JSON.stringify(body)}`);
}

/** A new thread's id. */
export async function newThread(side: Exchanges, body: unknown = {}): Promise<string> {
  return textOf(await side.send("POST /threads", { body }), "thread_id");
}

/** A new thread on which a run has come to its end. */
export async function threadAfter(side: Exchanges, run: Record<string, unknown>): Promise<{ thread_id: string }> {
  const path = { thread_id: await newThread(side) };
  await side.send("POST /threads/{thread_id}/runs/wait", { path, body: run });
  await atRest(side, path);
  return path;
}

/** The development server sets a thread's status and values a moment after its run has ended. */
export async function atRest(side: Exchanges, path: { thread_id: string }): Promise<void> {
  await side.until("GET /threads/{thread_id}", { path }, ({ body }) => statusOf(body) !== "busy");
}

export function statusOf(body: unknown): unknown {
  return typeof body === "object" && body !== null && "status" in body ? body.status : undefined;
}

/** The input of the graphs that talk. */
export const ask = (content: string) => ({ messages: [{ type: "human", id: "question", content }] });
