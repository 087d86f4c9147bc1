/** Assistants where they lie on one node of a cluster, and the threads of their runs on all. */
import { v4 as uuid } from "uuid";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createTruncate } from "../../app/data/truncate.js";
import { queueDepth } from "../../app/runs/queueDepth.js";
import { type AssistantServer, readsOf, startAssistants } from "../support/assistants.js";
import { startCluster, type TestCluster, threadOfEachPartition } from "../support/cluster.js";
import { newRun } from "../support/core.js";

let cluster: TestCluster;
let first: AssistantServer;
let second: AssistantServer;

beforeAll(async () => {
  cluster = await startCluster();
  first = await startAssistants(cluster.login);
  second = await startAssistants(cluster.login, ["echo", "writer"]);
});
afterAll(async () => {
  for (const server of [first, second]) server.stop();
  await cluster.stop();
});

const body = { graphId: "echo", name: "Mine", description: null, config: {}, context: {}, metadata: { team: "blue" } };

test("a change of a graph's own assistant is heard by every server", async () => {
  await vi.waitFor(async () => expect(await readsOf(second.redis, () => second.assistants.forRun("echo"))).toBe(0));
  await first.assistants.change("echo", { name: "Changed" });
  await vi.waitFor(async () => expect(await second.assistants.forRun("echo")).toMatchObject({ name: "Changed" }));
});

test("one is found by every server, and takes its runs and threads on all nodes with it", async () => {
  const { assistantId } = await first.assistants.create(uuid(), body, "raise");
  const page = { sortBy: "name", sortOrder: "asc", offset: 0, limit: 10 } as const;
  expect(await second.assistants.find({ metadata: { team: "blue" } }, page)).toMatchObject({ page: [{ assistantId }] });
  const runs = threadOfEachPartition().map((threadId) => newRun({ threadId, assistantId }));
  for (const run of runs) await first.core.runs.enqueue(run);
  const other = newRun();
  await first.core.runs.enqueue(other);
  await second.assistants.delete(assistantId, { deleteThreads: true });
  for (const { threadId } of runs) expect(await first.threads.get(threadId)).toBeUndefined();
  expect(await first.threads.get(other.threadId)).toBeDefined();

  const again = await first.assistants.create(uuid(), body, "raise");
  const more = threadOfEachPartition().map((threadId) => newRun({ threadId, assistantId: again.assistantId }));
  for (const run of more) await first.core.runs.enqueue(run);
  await first.assistants.delete(again.assistantId, { deleteThreads: false });
  for (const { threadId, runId } of more)
    expect(await first.core.runs.get(threadId, runId)).toMatchObject({ status: "interrupted" });
  expect(await first.core.runs.get(other.threadId, other.runId)).toMatchObject({ status: "pending" });
});

test("the queues of all nodes are counted, and a suite's leftovers are removed from each", async () => {
  const { redis, assistants, core } = first;
  const before = await queueDepth(redis, core.keys);
  const runs = Array.from({ length: 40 }, () => newRun());
  for (const run of runs) await core.runs.enqueue(run);
  expect(await queueDepth(redis, core.keys)).toEqual({ ...before, claimable: before.claimable + runs.length });
  const truncate = createTruncate({ redis, keys: core.keys, removals: core.removals, assistants });
  await truncate({ threads: true, assistants: true, store: true });
  expect(await queueDepth(redis, core.keys)).toEqual({ claimable: 0, delayed: 0, running: 0 });
  for (const { threadId, runId } of runs) expect(await core.runs.get(threadId, runId)).toBeUndefined();
  const page = { sortBy: "name", sortOrder: "asc", offset: 0, limit: 10 } as const;
  expect((await assistants.find({}, page)).total).toBe(2);
});
