/** What Redis holds of a run, where a test asks for more than clients see; and what workers tell of themselves. */
import { once } from "node:events";
import { Redis } from "ioredis";
import { onTestFinished, vi } from "vitest";
import { Keys } from "../../app/redis/partitions.js";
import type { Instance, Topology } from "./topology.js";

export interface StateOfSteps {
  steps: string[];
}

/** What the numbers of a run of `steps` are when each step was done once. */
export const oneToTen = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/** The numbers of the steps, in the order in which they were done. */
export const numbersOf = ({ steps }: StateOfSteps) => steps.map((step) => Number(step.split(" ")[0]));
/** The process ids of the workers that did them. */
export const doersOf = ({ steps }: StateOfSteps) => new Set(steps.map((step) => Number(step.split(" by ")[1])));

/** The fields of a run's record, such as `attempt` and `failures`. */
export async function recordOf(
  { redis }: Pick<Topology, "redis">,
  run: { thread_id: string; run_id: string },
): Promise<Record<string, string>> {
  const admin = new Redis(redis.url);
  try {
    return await admin.hgetall(new Keys("sw").of(run.thread_id, "run", run.run_id));
  } finally {
    admin.disconnect();
  }
}

/** With all rights; it goes with the test. */
export function adminOf(redis: { url: string }): Redis {
  const admin = new Redis(redis.url);
  onTestFinished(() => admin.disconnect());
  return admin;
}

export async function healthOf({
  url,
}: Instance): Promise<{ status: number; running?: number } & Record<string, unknown>> {
  const response = await fetch(`${url}/ok`);
  return { status: response.status, ...((await response.json()) as object) };
}

/** Resolves to the exit code of an instance, or the signal that ended it, when it ends by itself. */
export async function exitOf({ process: child }: Instance): Promise<number | string | null> {
  // What it wrote last may come after its exit.
  if (!child.stdout?.closed) await once(child, "close");
  return child.exitCode ?? child.signalCode;
}

/** Resolves when an instance has written this: a line of its log, or what a graph prints. */
export async function says(instance: Instance, text: string): Promise<void> {
  await vi.waitFor(
    () => {
      if (!instance.log().includes(text)) throw new Error(`${instance.name} has not written ${text}`);
    },
    { timeout: 20_000, interval: 20 },
  );
}

/** Resolves when the worker executes so many runs. */
export async function executes(worker: Instance, runs: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const { running } = await healthOf(worker);
      if (running !== runs) throw new Error(`${worker.name} executes ${running} runs`);
    },
    { timeout: 20_000, interval: 20 },
  );
}

/** Asks for the health of instances as often as it can. @returns a function that ends it and gives what was not well */
export function watchHealth(instances: Instance[]): () => Promise<string[]> {
  let over = false;
  const unwell: string[] = [];
  const watching = instances.map(async (instance) => {
    while (!over) {
      const { status } = await healthOf(instance).catch(() => ({ status: 0 }));
      if (status !== 200) unwell.push(`${instance.name} ${status}`);
      await new Promise((later) => setTimeout(later, 50));
    }
  });
  return async () => {
    over = true;
    await Promise.all(watching);
    return unwell;
  };
}
