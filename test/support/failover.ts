/**
 * A primary with a replica, reached through a proxy that plays the primary's endpoint: after a failover it leads to the
 * replica that was promoted, as the name of a managed Redis does.
 */
import { Redis } from "ioredis";
import { expect } from "vitest";
import type { RedisServer } from "../../app/local/redisServer.js";
import { asApp } from "./acl.js";
import { startRedis } from "./redis.js";
import { startTcpProxy, type TcpProxy } from "./tcpProxy.js";
import { until } from "./until.js";

export interface FailoverNode {
  server: RedisServer;
  /** May do what the app's user may not, past the proxy. */
  admin: Redis;
  /** From a replica to its primary. */
  link?: TcpProxy;
}

export interface FailoverPair {
  /** Of the endpoint, with all rights. */
  url: string;
  proxy: TcpProxy;
  /** As they are now: after a failover `primary` is the one that was promoted. */
  readonly primary: FailoverNode;
  readonly replica: FailoverNode | undefined;
  /** Kills the primary, promotes the replica and leads the endpoint to it. */
  failover(): Promise<void>;
  /** A planned change of roles: both live on, the endpoint stays with the old primary until `proxy.retarget`. */
  demote(): Promise<void>;
  /** What is written from now on is on the primary alone, and lost if that fails. */
  stallReplica(): void;
  resumeReplica(): void;
  /** A new, empty one that has caught up when it resolves; so a failover can be repeated. */
  addReplica(): Promise<FailoverNode>;
  stop(): Promise<void>;
}

/** @param options.args flags of both, such as `["--appendonly", "yes", "--appendfsync", "always"]` */
export async function startFailoverPair(options: { args?: string[] } = {}): Promise<FailoverPair> {
  const args = options.args ?? [];
  const started: FailoverNode[] = [];
  const start = async (link?: TcpProxy): Promise<FailoverNode> => {
    const more = link ? ["--replicaof", `127.0.0.1 ${link.port}`] : [];
    const server = await startRedis({
      args: ["--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0", ...args, ...more],
    });
    // Without a user of its own: the app's login is not replicated, so each node is given it.
    await asApp(server.url);
    // What is asked while the client reconnects to a node that is lost meanwhile is answered by nothing else.
    const commandTimeout = 10_000;
    const admin = new Redis(server.url, { commandTimeout, retryStrategy: (attempt) => Math.min(attempt * 50, 500) });
    admin.on("error", () => {});
    const node = { server, admin, ...(link && { link }) };
    started.push(node);
    return node;
  };
  let primary = await start();
  const proxy = await startTcpProxy({ host: "127.0.0.1", port: primary.server.port });
  let replica: FailoverNode | undefined;

  const addReplica = async () => {
    const added = await start(await startTcpProxy({ host: "127.0.0.1", port: primary.server.port }));
    await until(async () => expect(await added.admin.info("replication")).toMatch(/master_link_status:up/), {
      interval: 20,
      timeout: 20_000,
    });
    replica = added;
    return added;
  };
  await addReplica();

  return {
    url: `redis://127.0.0.1:${proxy.port}`,
    proxy,
    get primary() {
      return primary;
    },
    get replica() {
      return replica;
    },
    async failover() {
      if (!replica) throw new Error("there is no replica; add one first");
      const old = primary;
      process.kill(old.server.pid, "SIGKILL");
      await old.server.ended;
      old.admin.disconnect();
      // What a stalled link held is lost.
      await replica.link?.stop();
      await replica.admin.replicaof("NO", "ONE");
      primary = replica;
      replica = undefined;
      proxy.retarget({ host: "127.0.0.1", port: primary.server.port });
      proxy.cut();
    },
    async demote() {
      if (!replica) throw new Error("there is no replica; add one first");
      const old = primary;
      await replica.admin.replicaof("NO", "ONE");
      await old.admin.replicaof("127.0.0.1", replica.server.port);
      primary = replica;
      replica = old;
    },
    stallReplica() {
      replica?.link?.silence(true);
    },
    resumeReplica() {
      replica?.link?.silence(false);
    },
    addReplica,
    async stop() {
      await proxy.stop();
      for (const { server, admin, link } of started) {
        admin.disconnect();
        await link?.stop();
        await server.stop();
      }
    },
  };
}
