/** A cluster loses a master under load, and its replica takes over: runs and streams go on. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startCluster, type TestCluster } from "../support/cluster.js";
import { lostOnceAllEnded, startLoad, takes, unconfirmedRuns } from "../support/load.js";
import type { Chunk } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));

let cluster: TestCluster;
let all: Topology;
beforeAll(async () => {
  cluster = await startCluster({ replicas: true });
  // A lease outlasts the failover, which takes the nodes' time-out of two seconds and an election.
  const environment = { REDIS_CLUSTER: "true", LEASE_MS: "8000", HEARTBEAT_MS: "1000", SWEEP_MS: "500" };
  all = await topology({ servers: 2, workers: 2, config, environment, redis: cluster });
}, 120_000);
afterAll(() => all.stop());

/** Runs of some seconds on threads of every master, each followed from its start. */
function streams(count: number) {
  return Array.from({ length: count }, () => {
    const chunks: Chunk[] = [];
    const stream = all.client.runs.stream(null, "steps", { input: { pace_ms: 700 } });
    const ended = (async () => {
      for await (const chunk of stream) chunks.push(chunk as Chunk);
    })();
    return { chunks, ended };
  });
}

test("the node that all were told of is lost and comes back: no confirmed run is, and streams end with their results", {
  timeout: 90_000,
}, async () => {
  const load = startLoad(all.url);
  await takes(load, 10, 10_000);
  const followed = streams(8);
  await vi.waitFor(() => expect(followed.every(({ chunks }) => chunks.length > 2)).toBe(true), { timeout: 20_000 });
  const port = await cluster.killMaster();
  await cluster.healed();
  await takes(load, 10, 15_000);
  await cluster.restart(port);
  for (const { chunks, ended } of followed) {
    await ended;
    expect(chunks.at(-1)?.event).toBe("end");
    const last = chunks.filter(({ event }) => event === "values").at(-1);
    expect(last?.data).toMatchObject({ steps: { length: 10 } });
    // All of the first attempt: a node that is away keeps no lease on the others from being renewed.
    expect(chunks.filter(({ event }) => event === "metadata")).toHaveLength(1);
    const seqs = chunks.map(({ id }) => Number(/^1-(\d+)$/.exec(id ?? "")?.[1]));
    expect(seqs).toEqual([...new Set(seqs)].sort((one, other) => one - other));
  }
  await load.stop();
  const lost = await lostOnceAllEnded(load, all.client, 60_000);
  const unconfirmed = unconfirmedRuns([...all.servers, ...all.workers]);
  expect(lost.filter((runId) => !unconfirmed.has(runId))).toEqual([]);
});
