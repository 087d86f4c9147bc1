/** The coordination core on a Redis of the test's own, as a server and a worker use it. */
import { v7 as uuid } from "uuid";
import { expect, vi } from "vitest";
import { Removals } from "../../app/data/removal.js";
import { connect, type Redis } from "../../app/redis/connect.js";
import { Keys, partitionOf } from "../../app/redis/partitions.js";
import { Attempts } from "../../app/runs/attempts.js";
import { Runs } from "../../app/runs/runs.js";
import { type SweepSettings, sweep } from "../../app/runs/sweeper.js";
import type { ClaimedRun, NewRun, RunEvent } from "../../app/runs/types.js";
import { createLog } from "../../app/telemetry/log.js";
import { asApp } from "./acl.js";
import { startRedis } from "./redis.js";

export interface Core extends ReturnType<typeof coreOn> {
  url: string;
  redis: Redis;
  subscriber: Redis;
  /** May do what the app's user may not, such as KEYS. */
  admin: Redis;
  stop(): Promise<void>;
}

export const silent = createLog("silent", { instance: "test", role: "test" });

export async function startCore(): Promise<Core> {
  const server = await startRedis();
  const login = { url: await asApp(server.url) };
  const redis = connect(login, "worker", silent);
  const subscriber = connect(login, "subscriber", silent);
  const admin = connect({ url: server.url }, "worker", silent);
  const core = coreOn(redis, subscriber);
  return {
    ...core,
    url: login.url,
    redis,
    subscriber,
    admin,
    async stop() {
      core.runs.close();
      for (const connection of [redis, subscriber, admin]) connection.disconnect();
      await server.stop();
    },
  };
}

/** The core on connections of the test's own, standalone or to a cluster. */
export function coreOn(redis: Redis, subscriber: Redis) {
  const keys = new Keys("sw");
  const removals = new Removals(redis, keys);
  const runs = new Runs({ commands: redis, subscriber, keys, removals, outageSeconds: 90, log: silent });
  const attempts = new Attempts(redis, keys);
  return {
    keys,
    runs,
    removals,
    attempts,
    async claim(threadId: string, leaseMs = 30_000): Promise<ClaimedRun> {
      const { runs: claimed } = await attempts.claim(partitionOf(threadId), ["echo"], 1, leaseMs);
      const [run] = claimed;
      if (run?.threadId !== threadId) expect.fail(`thread ${threadId} has no ready run`);
      return run;
    },
    async sweep(settings: Partial<SweepSettings> = {}): Promise<void> {
      const deps = { redis, keys, removals, log: silent };
      await sweep(deps, { leaseMs: 30_000, sweepMs: 60_000, maxFailures: 3, ...settings });
    },
  };
}

/** A run of `echo` on a thread of its own, unless told otherwise. */
export function newRun(given: Partial<NewRun> = {}): NewRun {
  return {
    runId: uuid(),
    idIsGiven: false,
    threadId: uuid(),
    assistantId: "eb6db400-e3c8-5d06-a834-015cb89efe69",
    graphId: "echo",
    lifetime: "thread",
    strategy: "enqueue",
    ifNotExists: "create",
    afterMs: 0,
    metadata: {},
    payload: { stream_mode: ["values"], input: { messages: [] } },
    requestHash: "hash",
    ...given,
  };
}

export const success = {
  status: "success",
  threadStatus: "idle",
  answer: '{"done":true}',
  state: { values: '{"done":true}', interrupts: "{}" },
} as const;

export async function collect(events: AsyncIterable<RunEvent[]>): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const batch of events) all.push(...batch);
  return all;
}

/** Tries until it holds, at the pace of the core, and as patiently as a busy machine needs. */
export const soon = <T>(holds: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(holds, { interval: 10, timeout: 10_000 });
