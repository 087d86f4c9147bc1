/** Runs that are asked for again and again until it is known that they were accepted, while Redis fails and comes back. */
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@langchain/langgraph-sdk";
import { v7 as uuid } from "uuid";
import { expect, vi } from "vitest";
import type { Instance } from "./topology.js";

const LANES = 3;
/** Between two requests of a lane. */
const PACE_MS = 100;

export interface Load {
  /** Each was answered 200 or 409 to its Idempotency-Key: it must end. */
  readonly accepted: { threadId: string; runId: string }[];
  /** Status of each answer that was none, in order of time; 0 where the connection was lost. */
  readonly refusals: number[];
  readonly longestAnswerMs: number;
  stop(): Promise<void>;
}

/** Starts runs of the project `steps`: ten steps each, which note their number in the state. */
export function startLoad(url: string, input: Record<string, unknown> = { pace_ms: 50 }): Load {
  const accepted: Load["accepted"] = [];
  const refusals: number[] = [];
  let longestAnswerMs = 0;
  let stopped = false;

  const ask = async (threadId: string, runId: string): Promise<boolean> => {
    const asked = performance.now();
    const response = await fetch(`${url}/threads/${threadId}/runs`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": runId },
      body: JSON.stringify({ assistant_id: "steps", input, if_not_exists: "create" }),
    }).catch(() => undefined);
    await response?.arrayBuffer();
    longestAnswerMs = Math.max(longestAnswerMs, performance.now() - asked);
    if (response?.status === 200) return true;
    refusals.push(response?.status ?? 0);
    return false;
  };
  const lane = async () => {
    while (!stopped) {
      const [threadId, runId] = [uuid(), uuid()];
      while (!(await ask(threadId, runId))) await delay(PACE_MS);
      accepted.push({ threadId, runId });
      await delay(PACE_MS);
    }
  };
  const lanes = Array.from({ length: LANES }, lane);
  return {
    accepted,
    refusals,
    get longestAnswerMs() {
      return longestAnswerMs;
    },
    async stop() {
      stopped = true;
      await Promise.all(lanes);
    },
  };
}

/** Waits until so many more were accepted from now on. */
export async function takes(load: Load, more: number, timeoutMs: number): Promise<void> {
  const least = load.accepted.length + more;
  await vi.waitFor(() => expect(load.accepted.length).toBeGreaterThanOrEqual(least), { timeout: timeoutMs });
}

/**
 * Waits until all have ended `success`.
 * @returns the accepted runs of which something is lost: they are gone, or their state has not every step once, in order
 */
export async function lostOnceAllEnded(load: Load, client: Client, timeoutMs: number): Promise<string[]> {
  const deadline = performance.now() + timeoutMs;
  const lost: string[] = [];
  for (const { threadId, runId } of load.accepted) {
    const run = await vi.waitFor(
      async () => {
        const found = await client.runs.get(threadId, runId).catch((error) => {
          if (String(error).includes("404")) return undefined;
          throw error;
        });
        expect(["success", undefined]).toContain(found?.status);
        return found;
      },
      { timeout: Math.max(1, deadline - performance.now()), interval: 100 },
    );
    const steps = run ? await stepsOf(client, threadId) : [];
    if (steps.join() !== "1,2,3,4,5,6,7,8,9,10") lost.push(runId);
  }
  return lost;
}

async function stepsOf(client: Client, threadId: string): Promise<number[]> {
  const { values } = await client.threads.getState<{ steps?: string[] }>(threadId);
  return (values.steps ?? []).map((step) => Number.parseInt(step, 10));
}

/** Runs of which an instance logged that a failover would lose something. */
export function unconfirmedRuns(instances: Instance[]): Set<string> {
  const entries = instances.flatMap((instance) =>
    instance
      .log()
      .split("\n")
      .filter((line) => line.includes('"unconfirmed_writes"'))
      .map((line) => JSON.parse(line) as { runs: string[] }),
  );
  return new Set(entries.flatMap(({ runs }) => runs));
}
