/** The two roles: what each is made of, and how it goes down. */
import type { Server } from "node:http";
import { registerAssistants } from "./data/assistants.js";
import { createCheckpointer } from "./data/checkpoints/checkpointer.js";
import { Threads } from "./data/threads.js";
import { systemAssistantId } from "./graphs/assistants.js";
import { readProject } from "./graphs/config.js";
import { type Graphs, loadGraphs } from "./graphs/load.js";
import { createServer } from "./http/server.js";
import { type ConnectionUse, connect, type Redis, ready } from "./redis/connect.js";
import { Keys } from "./redis/partitions.js";
import { createPersist } from "./redis/persist.js";
import { Runs } from "./runs/runs.js";
import { startSweeper } from "./runs/sweeper.js";
import type { Settings } from "./settings.js";
import { serveHealth } from "./telemetry/health.js";
import type { Log } from "./telemetry/log.js";
import { startWorker } from "./worker/worker.js";

const REDIS_ANSWERS_WITHIN_MS = 10_000;

export class RedisUnreachable extends Error {
  override name = "RedisUnreachable";
}

export interface Role {
  port: number;
  /** Drains: resolves when nothing is left to do. */
  stop(): Promise<void>;
}

/** Serves the API. Its Redis connections: commands and subscriber. */
export async function startServerRole(settings: Settings, log: Log): Promise<Role> {
  const graphs = await loadGraphs(readProject(settings.langgraphConfigFile), log);
  const redis = await connectAll(settings, ["request", "subscriber"], log);
  const keys = new Keys(settings.redis.keyPrefix);
  const runs = new Runs({ commands: redis.request, subscriber: redis.subscriber, keys, log });
  const threads = new Threads(redis.request, keys);
  const checkpointer = createCheckpointer(graphs.runtime, { redis: redis.request, keys });
  const assistants = await registerAssistants(redis.request, keys, systemAssistants(graphs));
  const sweeper = startSweeper(redis.request, keys, settings, log);
  const server = createServer({ settings, log, redis: redis.request, runs, threads, assistants, graphs, checkpointer });
  return {
    port: await server.listen(),
    async stop() {
      await server.close();
      runs.close();
      await sweeper.stop();
      redis.disconnect();
    },
  };
}

/** Executes runs. Its Redis connections: commands, the blocking pop, and one that hears cancels. */
export async function startWorkerRole(settings: Settings, log: Log): Promise<Role> {
  const graphs = await loadGraphs(readProject(settings.langgraphConfigFile), log);
  const redis = await connectAll(settings, ["worker", "blocking", "subscriber"], log);
  const keys = new Keys(settings.redis.keyPrefix);
  const persist = createPersist(redis.worker, log);
  const checkpointer = createCheckpointer(graphs.runtime, { redis: redis.worker, keys, persist });
  const { blocking, subscriber } = redis;
  const worker = await startWorker({
    commands: redis.worker,
    blocking,
    subscriber,
    keys,
    graphs,
    checkpointer,
    persist,
    settings,
    log,
  });
  const sweeper = startSweeper(redis.worker, keys, settings, log);
  const health = await serveHealth(settings.healthPort, () => ({ running: worker.running }));
  return {
    port: portOf(health),
    async stop() {
      await worker.drain();
      await sweeper.stop();
      health.close();
      redis.disconnect();
    },
  };
}

function systemAssistants(graphs: Graphs) {
  return graphs.ids.map((graphId) => ({
    assistantId: systemAssistantId(graphId),
    graphId,
    description: graphs.describe(graphId),
  }));
}

/** @throws RedisUnreachable, without the address, which may hold a password */
async function connectAll<Use extends ConnectionUse>(settings: Settings, uses: Use[], log: Log) {
  const connections = uses.map((use) => connect(settings.redis, use, log));
  const disconnect = () => {
    for (const connection of connections) connection.disconnect();
  };
  try {
    await Promise.all(connections.map((connection) => ready(connection, REDIS_ANSWERS_WITHIN_MS)));
  } catch (error) {
    disconnect();
    const host = new URL(settings.redis.url).host;
    throw new RedisUnreachable(`Redis at ${host} does not answer (${String(error)}); check REDIS_URL and the login`);
  }
  return Object.assign(Object.fromEntries(uses.map((use, at) => [use, connections[at]])) as Record<Use, Redis>, {
    disconnect,
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}
