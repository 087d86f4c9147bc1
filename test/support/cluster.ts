/**
 * A cluster of three masters of a test file's own, from the same program as every other Redis of the tests, under the
 * app's login on each node; with a replica each where a master is to be lost. Slots, epochs and meetings are given by
 * plain commands, so nothing else need be installed.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { v7 as uuid } from "uuid";
import { expect } from "vitest";
import { freePort, type RedisServer } from "../../app/local/redisServer.js";
import { connect, ready } from "../../app/redis/connect.js";
import { PARTITIONS, partitionOf } from "../../app/redis/partitions.js";
import { asApp } from "./acl.js";
import { coreOn, silent } from "./core.js";
import { startRedis } from "./redis.js";
import { until } from "./until.js";

const HOST = "127.0.0.1";
const MASTERS = 3;
const SLOTS = 16_384;

export interface TestCluster {
  /** Of the first node, with all rights. */
  url: string;
  /** The app's. */
  login: { url: string; cluster: true };
  /** May do what the app's user may not; one to each node that began as a master. */
  admins: Redis[];
  /** All that run now, the replicas too. */
  readonly nodes: ClusterNode[];
  /**
   * Kills a master that has a replica. @param at which of them; the first without it
   * @returns its port, for `restart`; the cluster is whole again once `healed` resolves
   */
  killMaster(at?: number): Promise<number>;
  /** Every slot has a master again. */
  healed(): Promise<void>;
  /** The killed node comes back, as a replica of the one that took over; resolves when it has caught up. */
  restart(port: number): Promise<void>;
  stop(): Promise<void>;
}

export interface ClusterNode {
  /** Its number. */
  at: number;
  server: RedisServer;
  port: number;
  busPort: number;
  admin: Redis;
}

export interface ClusterOptions {
  /** One for each master; it takes over when that is lost. */
  replicas?: boolean;
  /** More flags of a node, by its number; the masters come first. */
  argsOf?: (at: number) => string[];
}

export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const folder = await mkdtemp(join(tmpdir(), "switchyard-cluster-"));
  const cluster = new Cluster(options.argsOf ?? (() => []), folder);
  const masters = await cluster.start(MASTERS);
  const replicas = await cluster.start(options.replicas ? MASTERS : 0);
  for (const [at, { admin }] of masters.entries()) {
    const [first, next] = [Math.ceil((at * SLOTS) / MASTERS), Math.ceil(((at + 1) * SLOTS) / MASTERS)];
    await admin.call("CLUSTER", "ADDSLOTSRANGE", first, next - 1);
    await admin.call("CLUSTER", "SET-CONFIG-EPOCH", at + 1);
  }
  for (const { port, busPort } of cluster.nodes) await masters[0]?.admin.call("CLUSTER", "MEET", HOST, port, busPort);
  await cluster.agreed();
  for (const [at, { admin }] of replicas.entries())
    await admin.call("CLUSTER", "REPLICATE", String(await masters[at]?.admin.call("CLUSTER", "MYID")));
  for (const replica of replicas) await caughtUp(replica);
  const [url = ""] = await Promise.all(cluster.nodes.map(({ server }) => asApp(server.url)));
  return {
    url: masters[0]?.server.url ?? "",
    login: { url, cluster: true },
    admins: masters.map(({ admin }) => admin),
    get nodes() {
      return cluster.nodes;
    },
    killMaster: (at = 0) => cluster.killMaster(at),
    healed: () => cluster.healed(),
    restart: (port) => cluster.restart(port),
    async stop() {
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

class Cluster {
  nodes: ClusterNode[] = [];
  readonly #lost = new Map<number, ClusterNode>();

  constructor(
    private readonly argsOf: (at: number) => string[],
    /** Who a node is must outlive its process. */
    private readonly folder: string,
  ) {}

  async start(count: number): Promise<ClusterNode[]> {
    const started = await Promise.all(
      Array.from({ length: count }, async (_, at) => {
        return this.#node(this.nodes.length + at, await freePort());
      }),
    );
    this.nodes.push(...started);
    return started;
  }

  /** The bus between nodes has a port of its own; by itself it would be the port plus 10,000, which may be no port. */
  async #node(at: number, busPort: number, before?: ClusterNode): Promise<ClusterNode> {
    const server = await startRedis({
      ...(before && { port: before.port }),
      args: [
        ...["--cluster-enabled", "yes", "--cluster-port", String(busPort), "--cluster-node-timeout", "2000"],
        ...["--cluster-config-file", join(this.folder, `${busPort}.conf`), "--repl-diskless-sync-delay", "0"],
        ...["--shutdown-timeout", "0"],
        ...this.argsOf(at),
      ],
    });
    const admin = before?.admin ?? new Redis(server.url, { retryStrategy: (attempt) => Math.min(attempt * 50, 500) });
    if (!before) admin.on("error", () => {});
    return { at, server, port: server.port, busPort, admin };
  }

  /** All that run see each other, and every slot has a master. */
  async agreed(): Promise<void> {
    for (const { admin } of this.nodes)
      await until(
        async () => {
          const info = String(await admin.call("CLUSTER", "INFO"));
          expect(info).toMatch(/cluster_state:ok/);
          expect(Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1])).toBeGreaterThanOrEqual(this.nodes.length);
        },
        { interval: 50, timeout: 20_000 },
      );
  }

  /** Nodes take a lost master for well until its time-out, so masters are counted. */
  async healed(): Promise<void> {
    await until(async () => expect(await this.#masters()).toHaveLength(MASTERS), {
      interval: 50,
      timeout: 20_000,
    });
    await this.agreed();
  }

  async #masters(having = /role:master/): Promise<ClusterNode[]> {
    const infos = await Promise.all(this.nodes.map(({ admin }) => admin.info("replication")));
    return this.nodes.filter((_, at) => having.test(infos[at] ?? ""));
  }

  async killMaster(at: number): Promise<number> {
    const masters = await this.#masters(/role:master[\s\S]*connected_slaves:[1-9]/);
    const node = masters[at % Math.max(1, masters.length)];
    if (!node) throw new Error("no master has a replica: start the cluster with replicas, or restart the lost node");
    process.kill(node.server.pid, "SIGKILL");
    await node.server.ended;
    this.nodes = this.nodes.filter((other) => other !== node);
    this.#lost.set(node.port, node);
    return node.port;
  }

  async restart(port: number): Promise<void> {
    const lost = this.#lost.get(port);
    if (!lost) throw new Error(`no node at port ${port} was killed`);
    const node = await this.#node(lost.at, lost.busPort, lost);
    this.#lost.delete(port);
    this.nodes.push(node);
    await asApp(node.server.url);
    await caughtUp(node);
  }

  async stop(): Promise<void> {
    for (const { admin } of [...this.nodes, ...this.#lost.values()]) admin.disconnect();
    await Promise.all(this.nodes.map(({ server }) => server.stop()));
  }
}

async function caughtUp({ admin }: ClusterNode): Promise<void> {
  await until(async () => expect(await admin.info("replication")).toMatch(/role:slave[\s\S]*master_link_status:up/), {
    interval: 50,
    timeout: 20_000,
  });
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
export async function startClusterCore(options: ClusterOptions = {}) {
  const cluster = await startCluster(options);
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
