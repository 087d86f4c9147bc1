/** Runs that are interrupted, rolled back or deleted while a real worker executes them. */
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { executes, numbersOf, oneToTen, type StateOfSteps } from "../support/runs.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));

let all: Topology;
let admin: Redis;
beforeAll(async () => {
  all = await topology({ config, servers: 2, workers: 1 });
  admin = new Redis(all.redis.url);
});
afterAll(async () => {
  admin.disconnect();
  await all.stop();
});

const fast = { input: { pace_ms: 10 } };

let threadId: string;
let runId: string;
/** A run that has done two of its steps. */
beforeEach(async () => {
  threadId = (await all.client.threads.create()).thread_id;
  runId = (await all.client.runs.create(threadId, "steps", { input: { pace_ms: 300 } })).run_id;
  await vi.waitFor(
    async () => {
      const { values } = await all.client.threads.getState<StateOfSteps>(threadId);
      expect(values.steps?.length).toBeGreaterThan(1);
    },
    { timeout: 10_000 },
  );
});

const idle = () => Promise.all(all.workers.map((worker) => executes(worker, 0)));

test("a second run that interrupts goes on from the steps of the first", async () => {
  const state = await all.client.runs.wait(threadId, "steps", { ...fast, multitaskStrategy: "interrupt" });
  expect(numbersOf(state as unknown as StateOfSteps)).toEqual(oneToTen);
  expect(await all.client.runs.get(threadId, runId)).toMatchObject({ status: "interrupted" });
});

test("a second run that rolls back begins where the first one did, of which nothing is left", async () => {
  const joined = all.client.runs.join(threadId, runId);
  const state = await all.client.runs.wait(threadId, "steps", { ...fast, multitaskStrategy: "rollback" });
  expect(numbersOf(state as unknown as StateOfSteps)).toEqual(oneToTen);
  expect(await joined).toEqual({});
  await expect(all.client.runs.get(threadId, runId)).rejects.toMatchObject({ status: 404 });
  const history = await all.client.threads.getHistory(threadId, { limit: 100 });
  // The input, the first step's checkpoint before any step, and one a step: none of the first run's.
  expect(history).toHaveLength(12);
  expect(new Set(history.map(({ metadata }) => metadata?.run_id)).size).toBe(1);
  await idle();
});

test("a thread that is deleted while its run goes on leaves no key, whatever its worker still does", async () => {
  const joined = all.client.runs.join(threadId, runId);
  await all.client.runs.create(threadId, "steps", fast);
  await all.client.threads.delete(threadId);
  expect(await joined).toEqual({});
  await expect(all.client.threads.get(threadId)).rejects.toMatchObject({ status: 404 });
  await idle();
  const keys: string[] = [];
  for await (const page of admin.scanStream()) keys.push(...page);
  expect(keys.filter((key) => key.includes(threadId) || key.includes(runId))).toEqual([]);
  await all.client.threads.create({ threadId });
  const state = await all.client.runs.wait(threadId, "steps", fast);
  expect(numbersOf(state as unknown as StateOfSteps)).toEqual(oneToTen);
});

test("all runs of all threads are stopped by one call", async () => {
  const other = await all.client.runs.create(null, "steps", { input: { pace_ms: 500 } });
  const streamed = all.client.runs.joinStream(null, other.run_id);
  await all.client.runs.cancelMany({ status: "all" });
  await all.client.runs.join(threadId, runId);
  expect(await all.client.runs.get(threadId, runId)).toMatchObject({ status: "interrupted" });
  let last: string | undefined;
  for await (const { event } of streamed) last = event;
  expect(last).toBe("end");
  await idle();
});
