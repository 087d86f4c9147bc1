/** A search over threads that lie on three masters, and the passes over each of them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ThreadBackfill } from "../../app/data/threads/backfill.js";
import { ThreadSearch } from "../../app/data/threads/search.js";
import { Threads } from "../../app/data/threads.js";
import { connect, type Redis, ready } from "../../app/redis/connect.js";
import { Keys } from "../../app/redis/partitions.js";
import { startCluster, type TestCluster, threadOfEachPartition } from "../support/cluster.js";
import { silent, soon } from "../support/core.js";

let cluster: TestCluster;
let redis: Redis;
beforeAll(async () => {
  cluster = await startCluster();
  redis = connect(cluster.login, "request", silent);
  await ready(redis, 5_000);
});
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
});

test("finds threads of every partition in one order, those of the release before after a pass", async () => {
  const keys = new Keys("sw");
  const threads = new Threads(redis, keys);
  const search = new ThreadSearch(redis, keys);
  const ids = threadOfEachPartition();
  for (const [place, threadId] of ids.entries()) await threads.create({ threadId, metadata: { place, team: "red" } });
  const page = { sortBy: "thread_id", sortOrder: "desc", offset: 3, limit: 10 } as const;
  const found = async (filter: object) => (await search.find(filter, page, { withState: true })).threads;
  const expected = ids.toSorted().toReversed().slice(3, 13);
  expect((await found({ metadata: { team: "red" } })).map(({ threadId }) => threadId)).toEqual(expected);
  expect(await search.count({ status: "idle", metadata: { place: 4 } })).toBe(1);

  for (const threadId of ids) await redis.hset(keys.of(threadId, "thread", threadId), "status", "error");
  expect(await search.count({ status: "error" })).toBe(0);
  const backfill = new ThreadBackfill(redis, keys, { pauseMs: 1, aCall: 100, callsAStep: 20, repeatAfterMs: [0] });
  await soon(async () => {
    await backfill.step();
    expect(await search.count({ status: "error" })).toBe(16);
  });
});
