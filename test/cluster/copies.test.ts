/** Copies where threads lie on different nodes: each on its source's node, and nothing left of either. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCheckpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { Copies } from "../../app/data/copies.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { all } from "../support/checkpointGraphs.js";
import { at, checkpointOf, loop, ours } from "../support/checkpoints.js";
import { type ClusterCore, startClusterCore, threadOfEachPartition } from "../support/cluster.js";
import { newRun, success } from "../support/core.js";

let core: ClusterCore;
beforeAll(async () => {
  core = await startClusterCore();
});
afterAll(() => core.stop());

const SHARED = /:(swept|graphs|wake:\w+|named:.*)$/;

test("in every partition a copy outlives its source, is pruned and copied again, and leaves nothing", async () => {
  const saver = createCheckpointer(ours, core);
  const copies = new Copies(core);
  const ran = async (threadId: string, value: string) => {
    await core.runs.enqueue(newRun({ threadId }));
    const run = await core.claim(threadId);
    const head = (await saver.getTuple(at(threadId)))?.config.configurable?.checkpoint_id;
    const config = at(threadId, { ...writtenBy(run), ...(head && { checkpoint_id: head }) });
    await saver.put(config, checkpointOf({ a: [value.repeat(1_000)] }), loop, { a: 1 });
    await core.attempts.finish(run, success, 1, []);
  };
  const seen = async (threadId: string) =>
    (await all(saver.list(at(threadId)))).map(({ checkpoint }) => String(checkpoint.channel_values.a)[0]);

  for (const source of threadOfEachPartition()) {
    await ran(source, "a");
    await ran(source, "b");
    const copy = (await copies.copy(source)) ?? expect.fail();
    expect(partitionOf(copy)).toBe(partitionOf(source));
    await ran(source, "c");
    await core.removals.deleteThread(source);
    await ran(copy, "d");
    expect(await seen(copy)).toEqual(["d", "b", "a"]);
    const second = (await copies.copy(copy)) ?? expect.fail();
    await core.removals.prune(copy);
    expect([await seen(copy), await seen(second)]).toEqual([["d"], ["d", "b", "a"]]);
    for (const threadId of [copy, second]) await core.removals.deleteThread(threadId);
  }
  const keys = await Promise.all(core.cluster.admins.map((admin) => admin.keys("*")));
  expect(keys.flat().filter((key) => !SHARED.test(key))).toEqual([]);
  const stats = await Promise.all(core.cluster.admins.map((admin) => admin.info("errorstats")));
  for (const refused of ["MOVED", "CROSSSLOT", "NOPERM"]) expect(stats.join()).not.toContain(refused);
});
