/**
 * The forms of Redis, each with the faults that only it has. Processes reach it through proxies, which cut, delay and
 * silence; who audits goes past them.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { APP_USER } from "../support/acl.js";
import { startCluster } from "../support/cluster.js";
import { startFailoverPair } from "../support/failover.js";
import { startRedis } from "../support/redis.js";
import { startTcpProxy, type TcpProxy } from "../support/tcpProxy.js";
import type { Form } from "./history.js";

export interface RedisForm {
  /** A way to Redis for a process. Its proxy may be shared: in a cluster there is one a node. */
  attach(): Promise<{ environment: Record<string, string>; proxy: TcpProxy; detach: () => Promise<void> }>;
  /** What holds keys now; with all rights. */
  masters(): Promise<Redis[]>;
  /** Of the processes whose standstill the form must survive. */
  pids(): number[];
  /** Faults that this form has besides those that every one has. Each resolves when the form is whole again. */
  faults: Record<string, (choice: number) => Promise<void>>;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const [USER = "", PASSWORD = ""] = [APP_USER[0], APP_USER.at(-1)?.slice(1)];
const loginAt = (port: number) => `redis://${USER}:${PASSWORD}@${HOST}:${port}`;

export async function startForm(form: Form): Promise<RedisForm> {
  return await { standalone, failover, cluster }[form]();
}

/** A proxy for each process. */
async function attachTo(port: number) {
  const proxy = await startTcpProxy({ host: HOST, port });
  return { environment: { REDIS_URL: loginAt(proxy.port) }, proxy, detach: () => proxy.stop() };
}

function adminOf(url: string): Redis {
  const admin = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => 100 });
  admin.on("error", () => {});
  return admin;
}

async function standalone(): Promise<RedisForm> {
  const dataFolder = await mkdtemp(join(tmpdir(), "switchyard-chaos-"));
  const args = ["--appendfsync", "always", "--user", ...APP_USER];
  let redis = await startRedis({ dataFolder, args });
  const admin = adminOf(redis.url);
  return {
    attach: () => attachTo(redis.port),
    masters: async () => [admin],
    pids: () => [redis.pid],
    faults: {
      async "restart-redis"() {
        process.kill(redis.pid, "SIGKILL");
        await redis.ended;
        redis = await startRedis({ dataFolder, args, port: redis.port });
      },
    },
    async stop() {
      admin.disconnect();
      await redis.stop();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

async function failover(): Promise<RedisForm> {
  const pair = await startFailoverPair();
  return {
    attach: () => attachTo(pair.proxy.port),
    masters: async () => [pair.primary.admin],
    pids: () => [pair.primary.server.pid],
    faults: {
      async failover() {
        await pair.failover();
        await pair.addReplica();
      },
    },
    async stop() {
      await pair.stop();
    },
  };
}

/** Clients are told of a node by its proxy, so what is cut is one node's network, for all processes at once. */
async function cluster(): Promise<RedisForm> {
  const nodes = await startCluster({ replicas: true });
  const proxies = new Map<number, TcpProxy>();
  let attached = 0;
  const announce = async ({ port, admin }: (typeof nodes.nodes)[number]) => {
    const proxy = proxies.get(port) ?? (await startTcpProxy({ host: HOST, port }));
    proxies.set(port, proxy);
    await admin.config("SET", "cluster-announce-port", proxy.port);
  };
  for (const node of nodes.nodes) await announce(node);
  const masters = async () => {
    const roles = await Promise.all(
      nodes.nodes.map(async (node) => ({ node, info: await node.admin.info("replication").catch(() => "") })),
    );
    return roles.filter(({ info }) => /role:master/.test(info)).map(({ node }) => node);
  };
  return {
    async attach() {
      const all = await masters();
      const proxy = proxies.get(all[attached++ % all.length]?.port ?? 0);
      if (!proxy) throw new Error("the cluster has no master");
      const environment = { REDIS_URL: loginAt(proxy.port), REDIS_CLUSTER: "true" };
      return { environment, proxy, detach: async () => {} };
    },
    masters: async () => (await masters()).map(({ admin }) => admin),
    pids: () => nodes.nodes.map(({ server }) => server.pid),
    faults: {
      async "lose-master"(choice) {
        const port = await nodes.killMaster(choice);
        await nodes.healed();
        await nodes.restart(port);
        for (const node of nodes.nodes) if (node.port === port) await announce(node);
      },
    },
    async stop() {
      for (const proxy of proxies.values()) await proxy.stop();
      await nodes.stop();
    },
  };
}
