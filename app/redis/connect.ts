/**
 * Connections to Redis, one profile for each use; standalone and cluster look the same to all who use them. A process
 * holds a constant number of them whatever its load. Standalone: a server two (commands, subscriber), a worker four
 * (commands, the blocking pop, and its heartbeat's commands and subscriber). In a cluster one to each master for each of
 * commands and subscriber, and one for each partition that a worker pops from. Where a node has replicas, one more to it
 * for each that writes (see replication.ts).
 */
import { Cluster, type ClusterOptions, type RedisOptions, Redis as Standalone } from "ioredis";
import type { Log } from "../telemetry/log.js";
import { WATCH_TIMES, watch } from "./watchdog.js";

export type Redis = Standalone | Cluster;

export interface RedisLogin {
  /** `redis://` or `rediss://`; credentials in it are used unless given apart. */
  url: string;
  username?: string | undefined;
  password?: string | undefined;
  /** PEM of the certificate authority to trust, for `rediss://`. */
  ca?: string | undefined;
  /** Speak the cluster protocol; the address is that of any node, or of all (a configuration endpoint). */
  cluster?: boolean;
}

const base: RedisOptions = {
  keepAlive: 10_000,
  connectTimeout: 5_000,
  // How long a half-open connection, which never answers that it is closed, keeps its client from making another.
  disconnectTimeout: 500,
  noDelay: true,
  // Never give up: 50 ms doubling to 2 s, with jitter so that a fleet doesn't come back in step.
  retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt - 1, 6), 2_000) + Math.random() * 200,
  // After a change of role the old primary answers READONLY for ever: reconnect and resend, safe because every
  // script of ours is idempotent.
  reconnectOnError: (error) => (/^(READONLY|LOADING|UNBLOCKED|MASTERDOWN)/.test(error.message) ? 2 : false),
};

const profiles = {
  /** A request must fail at once when Redis is away, not queue without bound: it becomes a 503. */
  request: { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 2_000 },
  /** A worker retries above the client, so a command settles within a bounded time. */
  worker: { maxRetriesPerRequest: null, commandTimeout: 5_000 },
  /**
   * A beat that a lost node leaves hanging must not outlast the lease: the next one asks the node that took over. It is back
   * soon after an outage: from the first sweep on, which may be another process's, the leases run again.
   */
  heartbeat: {
    maxRetriesPerRequest: null,
    commandTimeout: 1_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt - 1, 3), 400) + Math.random() * 100,
  },
  /** Blocking pops only: the client's own limit frees one that a dropped connection left hanging. */
  blocking: { maxRetriesPerRequest: null, blockingTimeout: 5_000, blockingTimeoutGrace: 1_000 },
  subscriber: { maxRetriesPerRequest: null, autoResubscribe: true },
} satisfies Record<string, RedisOptions>;

export type ConnectionUse = keyof typeof profiles;

const clusterBase: ClusterOptions = {
  // Certificates name hosts, so hosts are not resolved to addresses.
  dnsLookup: (host, callback) => callback(null, host),
  clusterRetryStrategy: base.retryStrategy,
  // A node whose connection is lost leaves the pool, and what waited for it is sent again after this pause, to whichever
  // node then has the slot. (A client that reconnects to the node itself keeps asking one that failed over.)
  retryDelayOnFailover: 200,
  retryDelayOnClusterDown: 300,
  retryDelayOnMoved: 50,
  slotsRefreshTimeout: 5_000,
  // That the map of slots was read is enough. The check asks one node more, which a profile without a queue refuses while
  // that node is being connected, and which gives a pop a second connection.
  enableReadyCheck: false,
};

/** How often the map of slots is read anew; between, an answer that a slot has moved, or a lost node, has it read. */
const SLOTS_REFRESH_MS = 15_000;

const clusterProfiles: Record<ConnectionUse, ClusterOptions> = {
  request: { slotsRefreshInterval: SLOTS_REFRESH_MS, enableOfflineQueue: false, maxRedirections: 6 },
  // The queue of a cluster's client knows no time-out.
  worker: { slotsRefreshInterval: SLOTS_REFRESH_MS, enableOfflineQueue: false },
  heartbeat: { slotsRefreshInterval: SLOTS_REFRESH_MS, enableOfflineQueue: false },
  // Sixteen a worker: they learn of a slot that has moved by the answer to the next pop.
  blocking: {},
  subscriber: { slotsRefreshInterval: SLOTS_REFRESH_MS, shardedSubscribers: true },
};

/**
 * A connection to one node, of a cluster or not, that is ready when it resolves: for WAIT, which only the node that took
 * a write can answer. What it is asked is void once the connection is lost.
 * @param node `host:port`; the login's without it
 */
export async function connectNode(login: RedisLogin, node: string, log: Log): Promise<Standalone> {
  const url = new URL(login.url);
  if (node !== "") url.host = node;
  const redis = new Standalone(url.href, {
    ...optionsOf(login, "replication"),
    ...base,
    ...{ enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 1_000, lazyConnect: true },
  });
  redis.on("error", (error) => log.warn({ use: "replication", reason: reasonOf(error) }, "redis connection"));
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  return redis;
}

/**
 * Opens a connection; it connects in the background and reconnects for ever, also where nothing but the watchdog notices
 * that it must. Errors are logged, not thrown.
 */
export function connect(login: RedisLogin, use: ConnectionUse, log: Log, watchTimes = WATCH_TIMES): Redis {
  const redis = login.cluster ? connectCluster(login, use) : connectStandalone(login, use);
  const warn = (error: Error) => log.warn({ use, reason: reasonOf(error) }, "redis connection");
  redis.on("error", warn);
  // Of a cluster: of a command's connection to a node, and of a subscriber's.
  redis.on("node error", warn);
  redis.on("nodeError", warn);
  // A pop is silent as long as it blocks, and has a limit of its own.
  if (use !== "blocking") watch(redis, watchTimes, log, { use });
  return redis;
}

function connectStandalone(login: RedisLogin, use: ConnectionUse): Standalone {
  return new Standalone(login.url, { ...optionsOf(login, use), ...base, ...profiles[use] });
}

function connectCluster(login: RedisLogin, use: ConnectionUse): Cluster {
  const { hostname, port, protocol, username, password } = new URL(login.url);
  const redisOptions: RedisOptions = {
    ...base,
    ...profiles[use],
    // What the address says of a login or TLS holds for the nodes that it leads to as well.
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" && { tls: {} }),
    ...optionsOf(login, use),
  };
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const cluster = new Cluster([{ host, port: Number(port || 6379) }], {
    ...clusterBase,
    ...clusterProfiles[use],
    redisOptions,
  });
  // The client connects to a node when it is first needed, and has what else comes meanwhile wait as if it were lost.
  if (use === "request" || use === "worker" || use === "heartbeat")
    cluster.on("+node", (node: Standalone) => void node.connect().catch(() => {}));
  return cluster;
}

function optionsOf(login: RedisLogin, use: ConnectionUse | "replication"): RedisOptions {
  return {
    ...(login.username === undefined ? {} : { username: login.username }),
    ...(login.password === undefined ? {} : { password: login.password }),
    ...(login.ca === undefined ? {} : { tls: { ca: login.ca } }),
    connectionName: `switchyard-${use}`,
  };
}

/** A cluster's client says that no node could be asked; why is in the error of the last one. */
function reasonOf(error: Error & { lastNodeError?: Error }): string {
  return error.lastNodeError?.message ?? error.message;
}

/**
 * Resolves when the connection is ready; to all masters, where commands to a cluster go.
 * @throws the last connection error after `timeoutMs`; at once where a cluster is spoken to as if it were none
 */
export async function ready(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status !== "ready") await becomeReady(redis, timeoutMs);
  if (redis instanceof Cluster) {
    const connecting = redis.nodes("master").filter(({ status }) => status !== "wait" && status !== "ready");
    await Promise.all(connecting.map((node) => becomeReady(node, timeoutMs)));
    return;
  }
  // A user who may not ask is believed; without the question a cluster would refuse most keys, later and one by one.
  const info = await redis.info("cluster").catch(() => "");
  if (/^cluster_enabled:1/m.test(info)) throw new Error("it is a cluster: set REDIS_CLUSTER=true");
}

function becomeReady(redis: Redis, timeoutMs: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let last = new Error(`no answer from Redis within ${timeoutMs} ms`);
    const onError = (error: Error) => {
      last = new Error(reasonOf(error), { cause: error });
    };
    const timer = setTimeout(() => settle(() => reject(last)), timeoutMs);
    const onReady = () => settle(resolve);
    const settle = (then: () => void) => {
      clearTimeout(timer);
      redis.off("ready", onReady);
      redis.off("error", onError);
      then();
    };
    redis.on("ready", onReady);
    redis.on("error", onError);
  });
}
