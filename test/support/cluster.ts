/**
 * A cluster of three masters of a test file's own, from the same program as every other Redis of the tests, under the
 * app's login on each node. Slots, epochs and meetings are given by plain commands, so nothing else need be installed.
 */
import { Redis } from "ioredis";
import { v7 as uuid } from "uuid";
import { expect, vi } from "vitest";
import { freePort } from "../../app/local/redisServer.js";
import { connect, ready } from "../../app/redis/connect.js";
import { PARTITIONS, partitionOf } from "../../app/redis/partitions.js";
import { asApp } from "./acl.js";
import { coreOn, silent } from "./core.js";
import { startRedis } from "./redis.js";

const MASTERS = 3;
const SLOTS = 16_384;

export interface TestCluster {
  /** Of the first node, with all rights. */
  url: string;
  /** The app's. */
  login: { url: string; cluster: true };
  /** May do what the app's user may not; one to each node. */
  admins: Redis[];
  stop(): Promise<void>;
}

export async function startCluster(): Promise<TestCluster> {
  const nodes = await Promise.all(Array.from({ length: MASTERS }, startNode));
  const admins = nodes.map(({ url }) => new Redis(url));
  for (const [at, admin] of admins.entries()) {
    const [first, next] = [Math.ceil((at * SLOTS) / MASTERS), Math.ceil(((at + 1) * SLOTS) / MASTERS)];
    await admin.call("CLUSTER", "ADDSLOTSRANGE", first, next - 1);
    await admin.call("CLUSTER", "SET-CONFIG-EPOCH", at + 1);
  }
  for (const { port, busPort } of nodes) await admins[0]?.call("CLUSTER", "MEET", "127.0.0.1", port, busPort);
  for (const admin of admins)
    await vi.waitFor(
      async () => expect(await admin.call("CLUSTER", "INFO")).toMatch(/cluster_state:ok[\s\S]*cluster_known_nodes:3/),
      { interval: 50, timeout: 20_000 },
    );
  const [url = ""] = await Promise.all(nodes.map((node) => asApp(node.url)));
  return {
    url: nodes[0]?.url ?? "",
    login: { url, cluster: true },
    admins,
    async stop() {
      for (const admin of admins) admin.disconnect();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** The bus between nodes has a port of its own; by itself it would be the port plus 10,000, which may be no port. */
async function startNode() {
  const busPort = await freePort();
  const args = ["--cluster-enabled", "yes", "--cluster-port", String(busPort), "--cluster-node-timeout", "2000"];
  return { ...(await startRedis({ args })), busPort };
}

/** A thread in each partition, so that every master has some. */
export function threadOfEachPartition(): string[] {
  const found = new Map<number, string>();
  while (found.size < PARTITIONS) {
    const threadId = uuid();
    found.set(partitionOf(threadId), threadId);
  }
  return [...found.values()];
}

export type ClusterCore = Awaited<ReturnType<typeof startClusterCore>>;

/** The coordination core on a cluster, as a server and a worker use it. */
export async function startClusterCore() {
  const cluster = await startCluster();
  const redis = connect(cluster.login, "worker", silent);
  const subscriber = connect(cluster.login, "subscriber", silent);
  await Promise.all([ready(redis, 5_000), ready(subscriber, 5_000)]);
  const core = coreOn(redis, subscriber);
  return {
    ...core,
    redis,
    subscriber,
    cluster,
    async stop() {
      core.runs.close();
      for (const connection of [redis, subscriber]) connection.disconnect();
      await cluster.stop();
    },
  };
}
