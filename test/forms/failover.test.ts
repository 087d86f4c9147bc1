/** A primary fails over to its replica under load, through the endpoint that both share. */
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FailoverPair, startFailoverPair } from "../support/failover.js";
import { type Load, lostOnceAllEnded, startLoad, takes, unconfirmedRuns } from "../support/load.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));

let pair: FailoverPair;
let all: Topology;
let load: Load;
beforeEach(async () => {
  pair = await startFailoverPair();
  const environment = { LEASE_MS: "5000", HEARTBEAT_MS: "1000", SWEEP_MS: "500" };
  all = await topology({ servers: 2, workers: 2, config, environment, redis: pair });
  load = startLoad(all.url);
  await takes(load, 10, 10_000);
});
afterEach(async () => {
  await load.stop();
  await all.stop();
});

const instances = () => [...all.servers, ...all.workers];

test("two failovers with a healthy replica: new runs are taken again within seconds, and none is lost", {
  timeout: 120_000,
}, async () => {
  // What was accepted until now was confirmed: a replica that keeps up has it.
  const early = load.accepted.map(({ runId }) => runId);
  expect(early.length).toBeGreaterThanOrEqual(10);
  expect(unconfirmedRuns(instances())).toEqual(new Set());
  for (const _ of [1, 2]) {
    await pair.failover();
    await takes(load, 10, 10_000);
    await pair.addReplica();
    await takes(load, 10, 10_000);
  }
  await load.stop();
  const lost = await lostOnceAllEnded(load, all.client, 40_000);
  const unconfirmed = unconfirmedRuns(instances());
  expect(lost.filter((runId) => !unconfirmed.has(runId))).toEqual([]);
  expect(lost.filter((runId) => early.includes(runId))).toEqual([]);
});

test("a failover to a replica that had fallen behind: what is lost was counted as unconfirmed", {
  timeout: 120_000,
}, async () => {
  const ended = await vi.waitFor(
    async () => {
      const runs = await Promise.all(load.accepted.map(({ threadId, runId }) => all.client.runs.get(threadId, runId)));
      const successful = runs.filter(({ status }) => status === "success").map(({ run_id }) => run_id);
      expect(successful.length).toBeGreaterThan(2);
      return successful;
    },
    { timeout: 10_000 },
  );
  // While these are taken, the replica has had what ended before.
  await takes(load, 3, 10_000);
  pair.stallReplica();
  await takes(load, 10, 20_000);
  await pair.failover();
  await takes(load, 10, 10_000);
  await load.stop();
  const lost = await lostOnceAllEnded(load, all.client, 40_000);
  expect(lost.length).toBeGreaterThan(0);
  const unconfirmed = unconfirmedRuns(instances());
  expect(lost.filter((runId) => !unconfirmed.has(runId))).toEqual([]);
  expect(lost.filter((runId) => ended.includes(runId))).toEqual([]);
});

test("a primary that became a replica answers READONLY: 503 until the endpoint leads on, then all is as before", {
  timeout: 120_000,
}, async () => {
  const { proxy } = pair;
  await pair.demote();
  await vi.waitFor(() => expect(load.refusals).toContain(503), { timeout: 5_000 });
  proxy.retarget({ host: "127.0.0.1", port: pair.primary.server.port });
  await takes(load, 10, 15_000);
  await load.stop();
  const lost = await lostOnceAllEnded(load, all.client, 40_000);
  const unconfirmed = unconfirmedRuns(instances());
  expect(lost.filter((runId) => !unconfirmed.has(runId))).toEqual([]);
});
