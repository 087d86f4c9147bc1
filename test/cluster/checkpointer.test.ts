/** Checkpoints where threads lie on different nodes: what LangGraph's own MemorySaver shows must be seen here, too. */
import * as langgraph from "@langchain/langgraph";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCheckpointer, FencedError, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { StateDrafts } from "../../app/data/stateDrafts.js";
import { all, counter, interview, transcript } from "../support/checkpointGraphs.js";
import { at, checkpointOf, loop, ours } from "../support/checkpoints.js";
import { type ClusterCore, startClusterCore, threadOfEachPartition } from "../support/cluster.js";
import { newRun, success } from "../support/core.js";

const { Command, MemorySaver } = langgraph;

let core: ClusterCore;
beforeAll(async () => {
  core = await startClusterCore();
});
afterAll(() => core.stop());

const saver = () => createCheckpointer(ours, core);
const inputs = [{ topic: "trains" }, new Command({ resume: "Ada" }), new Command({ resume: "1843" })];

test("a graph with sends, a subgraph and two interrupts goes on from step to step, on every node", async () => {
  const memory = new MemorySaver();
  const expected: unknown[] = [];
  const config = at(uuid());
  for (const input of inputs) {
    await interview(langgraph, memory).invoke(input, config);
    expected.push(await transcript(interview(langgraph, memory), config));
  }
  await Promise.all(
    threadOfEachPartition().map(async (threadId) => {
      for (const [step, input] of inputs.entries()) {
        await interview(langgraph, saver()).invoke(input, at(threadId));
        expect(await transcript(interview(langgraph, saver()), at(threadId))).toEqual(expected[step]);
      }
    }),
  );
});

test("channels of deltas, state updates and histories", async () => {
  const outcome = async (graph: ReturnType<typeof counter>, threadId: string) => {
    await graph.invoke({ count: 1 }, at(threadId));
    await graph.updateState(at(threadId), { count: 21 }, "step");
    return transcript(graph, at(threadId));
  };
  const expected = await outcome(counter(langgraph, new MemorySaver()), uuid());
  for (const threadId of threadOfEachPartition())
    expect(await outcome(counter(langgraph, saver()), threadId)).toEqual(expected);
});

test("a state update and the thread that it makes are one transaction, on every node", async () => {
  const drafts = new StateDrafts({ redis: core.redis, keys: core.keys, langgraph: ours });
  const shown = { valuesJson: '{"count":20}', interruptsJson: "{}", status: "idle" } as const;
  for (const threadId of threadOfEachPartition()) {
    await saver().deleteThread(threadId);
    const made = drafts.openNew({ threadId, metadata: {} });
    await counter(langgraph, made.checkpointer).updateState(at(threadId, made.writer), { count: 20 }, "step");
    expect(await made.commit(shown)).toBe(true);
    const [draft, late] = [await drafts.open(threadId), await drafts.open(threadId)];
    await counter(langgraph, draft.checkpointer).updateState(at(threadId, draft.writer), { log: ["x"] }, "step");
    expect([await draft.commit(shown), await late.commit(shown)]).toEqual([true, false]);
    const { history } = (await transcript(counter(langgraph, saver()), at(threadId))) as { history: unknown[] };
    expect(history).toMatchObject([{ values: { count: 20, log: ["x"] } }, { values: { count: 20 } }]);
    await core.removals.deleteThread(threadId);
  }
});

test("an attempt that lost its run writes nothing more, and the next one takes its answers back", async () => {
  for (const threadId of threadOfEachPartition()) {
    await core.runs.enqueue(newRun({ threadId }));
    const claimed = await core.claim(threadId);
    const config = await saver().put(at(threadId, writtenBy(claimed)), checkpointOf({ a: ["x"] }), loop, { a: 1 });
    await saver().putWrites(config, [["a", "y"]], "task");
    expect(await saver().newest(threadId)).toMatchObject({ runId: claimed.runId, writes: [{ taskId: "task" }] });
    expect(await saver().takeBack(claimed)).toBe(0);
    await core.attempts.finish(claimed, success, 1, []);
    await expect(saver().putWrites(config, [["a", "z"]], "task-2")).rejects.toThrow(FencedError);
  }
});

test("all threads of all nodes are listed, and a deleted one leaves nothing", async () => {
  await Promise.all(core.cluster.admins.map((admin) => admin.flushall()));
  const threads = threadOfEachPartition();
  for (const threadId of threads)
    await saver().put(at(threadId), checkpointOf({ a: ["x".repeat(100)] }), loop, { a: 1 });
  const listed = (await all(saver().list({ configurable: {} }))).map(({ config }) => config.configurable?.thread_id);
  expect(listed.sort()).toEqual([...threads].sort());
  for (const threadId of threads) await saver().deleteThread(threadId);
  const keys = await Promise.all(core.cluster.admins.map((admin) => admin.dbsize()));
  expect(keys).toEqual([0, 0, 0]);
});

test("everything was asked of the node that has it", async () => {
  const stats = await Promise.all(core.cluster.admins.map((admin) => admin.info("errorstats")));
  for (const refused of ["MOVED", "CROSSSLOT", "NOPERM"]) expect(stats.join()).not.toContain(refused);
});
