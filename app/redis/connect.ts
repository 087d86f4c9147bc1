/**
 * Connections to Redis, one profile for each use. A process holds a constant number of them whatever its load:
 * a server two (commands, subscriber), a worker one more for its blocking pop.
 */
import { Redis, type RedisOptions } from "ioredis";
import type { Log } from "../telemetry/log.js";

export type { Redis } from "ioredis";

export interface RedisLogin {
  /** `redis://` or `rediss://`; credentials in it are used unless given apart. */
  url: string;
  username?: string | undefined;
  password?: string | undefined;
  /** PEM of the certificate authority to trust, for `rediss://`. */
  ca?: string | undefined;
}

const base: RedisOptions = {
  keepAlive: 10_000,
  connectTimeout: 5_000,
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
  /** Blocking pops only: the client's own limit frees one that a dropped connection left hanging. */
  blocking: { maxRetriesPerRequest: null, blockingTimeout: 5_000, blockingTimeoutGrace: 1_000 },
  subscriber: { maxRetriesPerRequest: null, autoResubscribe: true },
} satisfies Record<string, RedisOptions>;

export type ConnectionUse = keyof typeof profiles;

/** Opens a connection; it connects in the background and reconnects for ever. Errors are logged, not thrown. */
export function connect(login: RedisLogin, use: ConnectionUse, log: Log): Redis {
  const redis = new Redis(login.url, {
    ...base,
    ...profiles[use],
    ...(login.username === undefined ? {} : { username: login.username }),
    ...(login.password === undefined ? {} : { password: login.password }),
    ...(login.ca === undefined ? {} : { tls: { ca: login.ca } }),
    connectionName: `switchyard-${use}`,
  });
  redis.on("error", (error) => log.warn({ use, reason: error.message }, "redis connection"));
  return redis;
}

/** Resolves when the connection is ready. @throws the last connection error after `timeoutMs` */
export async function ready(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status === "ready") return;
  await new Promise<void>((resolve, reject) => {
    let last = new Error(`no answer from Redis within ${timeoutMs} ms`);
    const onError = (error: Error) => {
      last = error;
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
