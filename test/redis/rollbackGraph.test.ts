/** Real graphs whose runs are rolled back at each stage, or whose older checkpoints expire: their threads go on. */
import * as langgraph from "@langchain/langgraph";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createCheckpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { Threads } from "../../app/data/threads.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { all, counter, interview, type TestGraph, transcript } from "../support/checkpointGraphs.js";
import { at, type Config, ours } from "../support/checkpoints.js";
import { type Core, newRun, startCore, success } from "../support/core.js";

const { Command } = langgraph;

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
let threadId: string;
beforeEach(async () => {
  await core.admin.flushall();
  threadId = uuid();
});
afterAll(() => core.stop());

type Make = typeof interview;

async function run(make: Make, input: unknown, durability: "sync" | "async" | "exit", from = {}): Promise<ClaimedRun> {
  await core.runs.enqueue(newRun({ threadId }));
  const claimed = await core.claim(threadId);
  const config: Config = at(threadId, { ...writtenBy(claimed), ...from });
  await graph(make).invoke(input, { ...config, durability });
  return claimed;
}

const graph = (make: Make): TestGraph => make(langgraph, createCheckpointer(ours, core));
const seenOf = (make: Make) => transcript(graph(make), at(threadId));
const finish = (claimed: ClaimedRun) => core.attempts.finish(claimed, success, 1, []);

async function takeBack({ runId }: ClaimedRun): Promise<void> {
  await core.runs.cancel(threadId, runId, "rollback");
  await core.runs.removed(threadId, runId);
}

const INTERVIEW = [{ topic: "trains" }, new Command({ resume: "Ada" }), new Command({ resume: "1843" })];

describe.each(["sync", "async", "exit"] as const)("with durability %s", (durability) => {
  test("each run of an interview can be rolled back and done again, to the same end", async () => {
    for (const input of INTERVIEW) {
      const before = await seenOf(interview);
      await takeBack(await run(interview, input, durability));
      expect(await seenOf(interview)).toEqual(before);
      await finish(await run(interview, input, durability));
    }
    const { values, next } = await graph(interview).getState(at(threadId));
    expect(next).toEqual([]);
    expect(values.log).toEqual(expect.arrayContaining(["Ada since 1843", "closed after 8 with 256 bytes"]));
  });

  test("a channel that is stored as deltas has what it had", async () => {
    await finish(await run(counter, { count: 1 }, durability));
    const before = await seenOf(counter);
    await takeBack(await run(counter, { count: 1 }, durability));
    expect(await seenOf(counter)).toEqual(before);
    await finish(await run(counter, { count: 1 }, durability));
    expect((await graph(counter).getState(at(threadId))).values).toMatchObject({ count: 10 });
  });

  test("a run that began at an older checkpoint leaves the newest one the head", async () => {
    for (const input of INTERVIEW) await finish(await run(interview, input, durability));
    const before = await seenOf(interview);
    const history = await all(graph(interview).getStateHistory(at(threadId)));
    const older = history.at(-1)?.config.configurable?.checkpoint_id;
    await takeBack(await run(interview, null, durability, { checkpoint_id: older }));
    expect(await seenOf(interview)).toEqual(before);
  });

  test("an interview goes on to its end from the newest checkpoints alone", async () => {
    const threads = new Threads(core.redis, core.keys);
    await threads.create({ threadId, metadata: {}, ttl: { strategy: "keep_latest", ms: 60_000 } });
    for (const input of INTERVIEW) {
      await finish(await run(interview, input, durability));
      const { state } = (await seenOf(interview)) as { state: unknown };
      await core.admin.hset(core.keys.of(threadId, "thread", threadId), "updated_at", 1);
      await core.admin.zadd(core.keys.of(threadId, "expiring"), 1, threadId);
      await core.sweep();
      expect(await seenOf(interview)).toEqual({ state, history: [expect.anything()] });
    }
    const { values } = await graph(interview).getState(at(threadId));
    expect(values.log).toEqual(expect.arrayContaining(["Ada since 1843", "closed after 8 with 256 bytes"]));
  });
});
