/** The two roles: what each is made of, and how it goes down. */
import { join } from "node:path";
import { registerAssistants } from "./data/assistants/register.js";
import { AssistantThreads } from "./data/assistants/threads.js";
import { createCheckpointer } from "./data/checkpoints/checkpointer.js";
import { Copies } from "./data/copies.js";
import { checkModel } from "./data/model.js";
import { Removals } from "./data/removal.js";
import { StateDrafts } from "./data/stateDrafts.js";
import { ThreadStorage } from "./data/storage.js";
import { createGraphStore } from "./data/store/graphStore.js";
import { ItemStore } from "./data/store/items.js";
import { startStoreSweeper } from "./data/store/sweeper.js";
import { startThreadBackfill, ThreadBackfill, usualPace } from "./data/threads/backfill.js";
import { ThreadSearch } from "./data/threads/search.js";
import { Threads } from "./data/threads.js";
import { createTruncate } from "./data/truncate.js";
import { systemAssistantId } from "./graphs/assistants.js";
import { webhookHeaders } from "./graphs/config/webhooks.js";
import { type Project, readProject } from "./graphs/config.js";
import { type Graphs, loadGraphs } from "./graphs/load.js";
import { startSchemaSource } from "./graphs/schemaSource.js";
import { loadUi } from "./graphs/ui.js";
import { createServer } from "./http/server.js";
import { type ConnectionUse, connect, type Redis, ready } from "./redis/connect.js";
import { startMemoryGuard } from "./redis/memory.js";
import { Keys, PARTITIONS } from "./redis/partitions.js";
import { createPersist } from "./redis/persist.js";
import { type Replication, startReplication } from "./redis/replication.js";
import { CUT } from "./redis/watchdog.js";
import { queueDepth } from "./runs/queueDepth.js";
import { Runs } from "./runs/runs.js";
import { type Swept, startSweeper } from "./runs/sweeper.js";
import { trimEvents } from "./runs/trimEvents.js";
import type { Settings } from "./settings.js";
import { type RedisCounts, tellRedis } from "./telemetry/counts.js";
import type { Log } from "./telemetry/log.js";
import { Metrics } from "./telemetry/metrics.js";
import { startWebhooks, webhookCheck } from "./webhooks/webhooks.js";
import { type Heartbeat, HeartbeatFailed, startHeartbeat } from "./worker/heartbeat.js";
import { readTaskRevision } from "./worker/revisions.js";
import { createTaskProtection } from "./worker/taskProtection.js";
import { Worker } from "./worker/worker.js";

const REDIS_ANSWERS_WITHIN_MS = 10_000;
/** How late a worker's metrics may be: another thread tells them. */
const TELL_COUNTS_MS = 1_000;
/** Not in an image, whose build has run it. */
const BUNDLER = join(import.meta.dirname, "image", "ui.js");

export class RedisUnreachable extends Error {
  override name = "RedisUnreachable";
}

export interface Role {
  port: number;
  /** Drains: resolves when nothing is left to do. */
  stop(): Promise<void>;
  /** What can still be done when some code has thrown where nobody catches: the process is about to end. */
  crash?(): Promise<void>;
  /** Resolves when the role can't go on, and has let go of its work: the process should end. */
  unfit?: Promise<void>;
}

/** Serves the API. Its Redis connections: commands and subscriber. */
export async function startServerRole(settings: Settings, log: Log): Promise<Role> {
  const { project, graphs } = await loadProject(settings, log);
  const ui = project.http.disabled.has("ui") ? new Map() : await loadUi(project, BUNDLER);
  const connections = new Connections(settings, log);
  const redis = connections.open("request");
  const subscriber = connections.open("subscriber");
  await connections.ready();
  const keys = new Keys(settings.redis.keyPrefix);
  await checkModel(redis, keys);
  const replication = await startReplication(redis, settings.redis, log);
  const { confirm } = replication;
  const memory = startMemoryGuard({
    redis,
    log,
    spare: (node, stillFull) => trimEvents({ redis, keys }, node, stillFull),
  });
  const removals = new Removals(redis, keys);
  const { outageSeconds } = settings;
  const webhooks = webhookCheck(project, settings);
  const { threadTtl, http } = project;
  const rules = { confirm, memory, webhooks, threadTtl, outageSeconds };
  const runs = new Runs({ commands: redis, subscriber, keys, removals, log, ...rules });
  const threads = new Threads(redis, keys);
  const threadSearch = new ThreadSearch(redis, keys);
  const checkpointer = createCheckpointer(graphs.runtime, { redis, keys });
  const drafts = new StateDrafts({ redis, keys, langgraph: graphs.runtime, memory, confirm });
  const items = new ItemStore({ redis, keys, timeToLive: graphs.timeToLive });
  const store = createGraphStore(graphs.runtime, items);
  const assistantThreads = new AssistantThreads({ redis, keys, runs, removals });
  const registering = { redis, subscriber, keys, threads: assistantThreads, sweepMs: settings.sweepMs };
  const registered = await registerAssistants(registering, systemAssistants(graphs));
  const schemas = startSchemaSource({ project, main: process.argv[1] ?? "", log });
  const { counts, count } = countsOf(connections, replication);
  const metrics = new Metrics();
  tellRedis(metrics, counts);
  const sweeper = startSweeper({ redis, keys, removals, confirm, count, log }, settings);
  const storeSweeper = startStoreSweeper(items, log);
  const pace = usualPace(settings.sweepMs, settings.protectMinutes);
  const backfill = startThreadBackfill(new ThreadBackfill(redis, keys, pace), pace.pauseMs, log);
  const { assistants } = registered;
  const served = {
    redis,
    runs,
    threads,
    threadSearch,
    removals,
    copies: new Copies({ redis, keys, removals }),
    storage: new ThreadStorage(redis, keys),
    assistants,
    graphs,
    schemas,
    checkpointer,
    drafts,
    store,
    items,
    ui,
    metrics,
    truncate: createTruncate({ redis, keys, removals, assistants }),
    queueDepth: () => queueDepth(redis, keys),
  };
  const server = createServer({ settings, log, http, threadTtl, ...served });
  return {
    port: await server.listen(),
    async stop() {
      await server.close();
      schemas.close();
      registered.close();
      runs.close();
      await sweeper.stop();
      await storeSweeper.stop();
      await backfill.stop();
      replication.stop();
      await memory.stop();
      connections.disconnect();
    },
  };
}

/**
 * Executes runs. Its Redis connections: commands, and for the pops one, or one a partition; the heartbeat's thread has
 * two of its own, for commands and to hear cancels.
 */
export async function startWorkerRole(settings: Settings, log: Log): Promise<Role> {
  const { project, graphs } = await loadProject(settings, log);
  // Before anything is claimed: a variable that a header needs may not be there.
  const headers = webhookHeaders(project.webhooks, process.env);
  const connections = new Connections(settings, log);
  const redis = connections.open("worker");
  const blocking = Array.from({ length: settings.redis.cluster ? PARTITIONS : 1 }, () => connections.open("blocking"));
  await connections.ready();
  const keys = new Keys(settings.redis.keyPrefix);
  await checkModel(redis, keys);
  const persist = createPersist(redis, log);
  const replication = await startReplication(redis, settings.redis, log);
  const { confirm } = replication;
  const checkpointer = createCheckpointer(graphs.runtime, { redis, keys, persist, confirm });
  const items = new ItemStore({ redis, keys, timeToLive: graphs.timeToLive, persist, evenWhenFull: true });
  const store = createGraphStore(graphs.runtime, items);
  // Before the worker: one whose port is taken must not have claimed runs.
  const heartbeat = await connections.heartbeat();
  const protection = createTaskProtection({
    agentUri: settings.ecsAgentUri,
    minutes: settings.protectMinutes,
    onRefused: (times) => heartbeat.report({ protectionRefused: times }),
    log,
  });
  const webhooks = startWebhooks({ redis, keys, project, headers, settings, log });
  const onTold = () => webhooks.look();
  const connected = { commands: redis, blocking, heartbeat, keys, persist, confirm, onTold };
  const worker = new Worker({ ...connected, graphs, checkpointer, store, protection, settings, log });
  const { counts, count } = countsOf(connections, replication);
  const sweeper = startSweeper({ redis, keys, removals: new Removals(redis, keys), confirm, count, log }, settings);
  const telling = setInterval(() => {
    heartbeat.count({ ...counts(), slots: settings.runsPerWorker, slotsUsed: worker.running, left: worker.left });
  }, TELL_COUNTS_MS);
  return {
    port: heartbeat.port,
    unfit: worker.unfit,
    crash: () => worker.forfeit(),
    async stop() {
      await worker.drain();
      clearInterval(telling);
      await webhooks.stop();
      await sweeper.stop();
      replication.stop();
      await heartbeat.stop();
      connections.disconnect();
    },
  };
}

/** A user's code runs where it lies: it opens files, and finds its settings, relative to its project. */
async function loadProject(settings: Settings, log: Log): Promise<{ project: Project; graphs: Graphs }> {
  const project = readProject(settings.langgraphConfigFile, process.env);
  process.chdir(project.folder);
  return { project, graphs: await loadGraphs(project, log) };
}

function systemAssistants(graphs: Graphs) {
  return graphs.ids.map((graphId) => ({
    assistantId: systemAssistantId(graphId),
    graphId,
    description: graphs.describe(graphId),
  }));
}

/** What a role's connections, writes and sweeps are counted by. */
function countsOf(connections: Connections, replication: Replication) {
  const swept: Record<Swept, number> = { requeued: 0, given_up: 0, overruled: 0 };
  return {
    counts: (): RedisCounts => {
      return { watchdogCuts: connections.cuts, unconfirmedWrites: replication.unconfirmed, swept };
    },
    count: (what: Swept, runs: number) => {
      swept[what] += runs;
    },
  };
}

/** All connections of a role. */
class Connections {
  readonly #all: Redis[] = [];
  /** How often the watchdog has cut one. */
  cuts = 0;

  constructor(
    private readonly settings: Settings,
    private readonly log: Log,
  ) {}

  open(use: ConnectionUse): Redis {
    const connection = connect(this.settings.redis, use, this.log);
    connection.on(CUT, () => this.cuts++);
    this.#all.push(connection);
    return connection;
  }

  /** @throws RedisUnreachable, without the address, which may hold a password */
  async ready(): Promise<void> {
    try {
      await Promise.all(this.#all.map((connection) => ready(connection, REDIS_ANSWERS_WITHIN_MS)));
    } catch (error) {
      throw this.#unreachable(String(error));
    }
  }

  /** The heartbeat of a worker, whose thread opens its own. @throws RedisUnreachable, or the error of its port */
  async heartbeat(): Promise<Heartbeat> {
    const { settings, log } = this;
    const task = await readTaskRevision(settings.ecsMetadataUri, log);
    const names = { level: settings.logLevel, stack: settings.stackName, instance: settings.instanceName };
    const { redis: login } = settings;
    try {
      return await startHeartbeat({ ...settings, login, keyPrefix: login.keyPrefix, task, log: names });
    } catch (error) {
      if (error instanceof HeartbeatFailed && error.code === undefined) throw this.#unreachable(error.message);
      throw error;
    }
  }

  #unreachable(reason: string): RedisUnreachable {
    this.disconnect();
    const host = new URL(this.settings.redis.url).host;
    return new RedisUnreachable(
      `Redis at ${host} does not answer (${reason}); check REDIS_URL, REDIS_CLUSTER and the login`,
    );
  }

  disconnect(): void {
    for (const connection of this.#all) connection.disconnect();
  }
}
