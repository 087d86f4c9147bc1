/** Webhooks of runs that lie on different nodes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { PARTITIONS } from "../../app/redis/partitions.js";
import { Deliverer } from "../../app/webhooks/deliverer.js";
import { type ClusterCore, startClusterCore } from "../support/cluster.js";
import { newRun, silent, soon, success } from "../support/core.js";

let core: ClusterCore;
beforeAll(async () => {
  core = await startClusterCore();
});
afterAll(() => core.stop());

test("of all nodes are sent, whatever the runs leave behind", async () => {
  const runs = Array.from({ length: 3 * PARTITIONS }, (_, at) => {
    const run = newRun({ lifetime: at % 2 === 0 ? "thread" : "delete" });
    if (run.lifetime === "delete") run.threadId = run.runId;
    run.payload.webhook = "https://example.com/";
    return run;
  });
  for (const run of runs) {
    await core.runs.enqueue(run);
    await core.attempts.finish(await core.claim(run.threadId), success, 1, []);
  }
  const told: string[] = [];
  const deliverer = new Deliverer(
    {
      ...{ redis: core.redis, keys: core.keys, log: silent },
      async post(_address, body) {
        told.push(JSON.parse(body).run_id);
        return { kind: "delivered", status: 204 };
      },
    },
    { sweepMs: 50, leaseMs: 30_000 },
  );
  await soon(() => expect(told.toSorted()).toEqual(runs.map(({ runId }) => runId).sort()));
  await deliverer.stop();
  const left = await Promise.all(
    Array.from({ length: PARTITIONS }, (_, partition) => core.redis.exists(core.keys.in(partition, "webhooks"))),
  );
  expect(left.every((exists) => exists === 0)).toBe(true);
});
