/** Following on a cluster: what it connects, and what becomes of a connection to one master that goes silent. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { connect, ready } from "../../app/redis/connect.js";
import { nodesOf } from "../../app/redis/watchdog.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { startClusterCore, threadOfEachPartition } from "../support/cluster.js";
import { collect, coreOn, newRun, silent, success } from "../support/core.js";

let core: Awaited<ReturnType<typeof startClusterCore>>;
beforeAll(async () => {
  core = await startClusterCore();
});
afterAll(() => core.stop());

const MASTERS = 3;
const numbered = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ event: "custom", data: JSON.stringify(at + 1) }));
const idsTo = (last: number) => Array.from({ length: last + 1 }, (_, at) => `1-${at}`);

/** Those that only read the map of slots come and go. */
async function subscribers(): Promise<number[]> {
  return await Promise.all(
    core.cluster.admins.map(async (admin) => {
      const list = String(await admin.call("CLIENT", "LIST", "TYPE", "pubsub"));
      return list.split("\n").filter((line) => line.includes("ssub=")).length;
    }),
  );
}

test("two hundred followers cost one subscriber connection to each master", async () => {
  const runs = Array.from({ length: 13 }, threadOfEachPartition)
    .flat()
    .map((threadId) => newRun({ threadId }));
  const follows = await Promise.all(runs.map((run) => core.runs.follow(run.threadId, run.runId, "new")));
  expect(follows.length).toBeGreaterThanOrEqual(200);
  expect(await subscribers()).toEqual([1, 1, 1]);
  for (const follow of follows) follow.close();
});

test("a subscriber's connection to a master that goes silent is made anew, and nothing is missed", async () => {
  const times = { everyMs: 300, limitMs: 200 };
  const subscriber = connect(core.cluster.login, "subscriber", silent, times);
  const watched = coreOn(core.redis, subscriber);
  await ready(subscriber, 5_000);
  const runs = threadOfEachPartition().map((threadId) => newRun({ threadId }));
  const follows = await Promise.all(runs.map((run) => watched.runs.follow(run.threadId, run.runId, "new")));
  const all = Promise.all(follows.map(collect));
  const claims: ClaimedRun[] = [];
  for (const run of runs) {
    await core.runs.enqueue(run);
    claims.push(await core.claim(run.threadId));
  }
  const connections = nodesOf(subscriber).filter(({ status }) => status === "ready");
  expect(connections.length).toBeGreaterThanOrEqual(MASTERS);
  // Open as before, but nothing comes through.
  for (const { stream } of connections) stream.pause();
  for (const claimed of claims) await core.attempts.append(claimed, 1, numbered(3));
  await vi.waitFor(
    () => {
      const anew = nodesOf(subscriber).filter((node) => node.status === "ready" && !connections.includes(node));
      expect(anew.length).toBeGreaterThanOrEqual(MASTERS);
    },
    { timeout: 10_000, interval: 50 },
  );
  for (const claimed of claims) await core.attempts.finish(claimed, success, 4, []);
  for (const events of await all) expect(events.map(({ id }) => id)).toEqual(idsTo(4));
  watched.runs.close();
  subscriber.disconnect();
});
