/** What becomes of a thread's open runs when another one comes: the multitask strategies. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { partitionOf } from "../../app/redis/partitions.js";
import { hearCancels } from "../../app/runs/control.js";
import type { NewRun } from "../../app/runs/types.js";
import { type Core, collect, newRun, soon, startCore, success } from "../support/core.js";

let core: Core;
const heard: string[] = [];
beforeAll(async () => {
  core = await startCore();
  await hearCancels(core.subscriber, core.keys, ({ word, owner }) => heard.push(`${word} ${owner}`));
});
let threadId: string;
beforeEach(async () => {
  await core.admin.flushall();
  heard.length = 0;
  threadId = uuid();
});
afterAll(() => core.stop());

const statusOf = async ({ runId }: NewRun) => (await core.runs.get(threadId, runId))?.status;
const threadOf = () => core.redis.hgetall(core.keys.of(threadId, "thread", threadId));

async function accept(...given: Partial<NewRun>[]): Promise<NewRun[]> {
  const runs = given.map((each) => newRun({ threadId, ...each }));
  for (const run of runs) await core.runs.enqueue(run);
  return runs;
}

describe("interrupt", () => {
  test("ends every pending and delayed run at once, and asks the owner of the running one", async () => {
    const [running, waiting, delayed] = await accept({}, {}, { afterMs: 60_000 });
    const claimed = await core.claim(threadId);
    const [next] = await accept({ strategy: "interrupt" });
    if (!running || !waiting || !delayed || !next) expect.fail();
    expect(await Promise.all([waiting, delayed].map(statusOf))).toEqual(["interrupted", "interrupted"]);
    expect([await statusOf(running), await statusOf(next)]).toEqual(["running", "pending"]);
    await soon(() => expect(heard).toEqual([`interrupt ${claimed.owner}`]));

    expect((await core.attempts.claim(partitionOf(threadId), ["echo"], 5, 1_000)).runs).toEqual([]);
    await core.attempts.finish(claimed, success, 1, []);
    expect(await statusOf(running)).toBe("interrupted");
    expect((await core.claim(threadId)).runId).toBe(next.runId);
  });

  test("does not wait for an owner that does not answer: it is overruled", async () => {
    await accept({});
    const claimed = await core.claim(threadId);
    const [next] = await accept({ strategy: "interrupt" });
    const started = await soon(() => core.claim(threadId));
    expect(started.runId).toBe(next?.runId);
    expect(await core.attempts.append(claimed, 1, [{ event: "values", data: "{}" }])).toBe("lost");
  });

  test("tells those who follow the ended runs", async () => {
    const [active, waiting] = await accept({}, {});
    const follows = await Promise.all(
      [active, waiting].map((run) => core.runs.follow(threadId, run?.runId ?? "", "now")),
    );
    await accept({ strategy: "interrupt" });
    for (const follow of follows) expect((await collect(follow)).map(({ event }) => event)).toEqual(["end"]);
  });

  test("starts at once on a thread where nothing runs, and the same request again cancels nothing", async () => {
    await accept({});
    const request = newRun({ threadId, strategy: "interrupt" });
    await core.runs.enqueue(request);
    const claimed = await core.claim(threadId);
    expect(claimed.runId).toBe(request.runId);
    await core.runs.enqueue(request);
    expect(await core.attempts.append(claimed, 1, [{ event: "values", data: "{}" }])).toBe("kept");
    expect(await threadOf()).toMatchObject({ status: "busy", open: "1", active: request.runId });
  });
});

describe("rollback", () => {
  test("rolls back every pending, delayed and running run, and the new one starts", async () => {
    const taken = await accept({}, {}, { afterMs: 60_000 });
    const claimed = await core.claim(threadId);
    const [next] = await accept({ strategy: "rollback" });
    for (const run of taken) expect(await statusOf(run)).toBeUndefined();
    expect((await core.runs.list(threadId, { limit: 10, offset: 0 })).map(({ runId }) => runId)).toEqual([next?.runId]);
    await soon(() => expect(heard).toEqual([`lost ${claimed.owner}`]));
    expect((await soon(() => core.claim(threadId))).runId).toBe(next?.runId);
    expect(await core.attempts.finish(claimed, success, 1, [])).toBe("lost");
    expect(await core.attempts.heartbeat(partitionOf(threadId), [claimed], 1_000)).toEqual([
      { owner: claimed.owner, word: "lost" },
    ]);
    expect(await threadOf()).toMatchObject({ status: "busy", open: "1", values: "null" });
    const { delayed, waiting } = {
      delayed: await core.redis.zcard(core.keys.of(threadId, "delayed")),
      waiting: await core.redis.zcard(core.keys.of(threadId, "waiting", threadId)),
    };
    expect([delayed, waiting]).toEqual([0, 0]);
  });

  test("of a delayed new run leaves the thread idle until its time", async () => {
    await accept({});
    await core.claim(threadId);
    const [next] = await accept({ strategy: "rollback", afterMs: 60_000 });
    await soon(async () => expect(await threadOf()).toMatchObject({ active: "", open: "1" }));
    expect((await core.attempts.claim(partitionOf(threadId), ["echo"], 5, 1_000)).runs).toEqual([]);
    expect(next && (await statusOf(next))).toBe("pending");
  });
});

describe("what is refused", () => {
  test("cancels nothing: another request under a used id, whatever its strategy", async () => {
    const [known] = await accept({});
    await core.claim(threadId);
    const other = newRun({ threadId, runId: known?.runId ?? "", strategy: "rollback", requestHash: "other" });
    await expect(core.runs.enqueue(other)).rejects.toMatchObject({ reason: "id_reused" });
    expect(known && (await statusOf(known))).toBe("running");
  });

  test("reject names the delayed run that keeps the thread", async () => {
    await accept({ afterMs: 60_000 });
    await expect(core.runs.enqueue(newRun({ threadId, strategy: "reject" }))).rejects.toThrow(
      "a run that waits or is delayed",
    );
  });

  test("a thread made by the request that interrupts has nothing to interrupt", async () => {
    for (const strategy of ["interrupt", "rollback"] as const) {
      const run = newRun({ strategy });
      await core.runs.enqueue(run);
      expect((await core.claim(run.threadId)).runId).toBe(run.runId);
    }
  });
});

describe("order", () => {
  test("is by due time, then acceptance, also behind a run that is interrupted", async () => {
    await accept({});
    const running = await core.claim(threadId);
    const [next] = await accept({ strategy: "interrupt" });
    const [later, latest] = await accept({}, { afterMs: 1 });
    await core.attempts.finish(running, success, 1, []);
    for (const expected of [next, later, latest]) {
      const run = await soon(() => core.claim(threadId));
      expect(run.runId).toBe(expected?.runId);
      await core.attempts.finish(run, success, 1, []);
    }
  });
});
