/** A server with a coordination core in memory, whose runs do what the test says. */
import { Command, MemorySaver, Send } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { systemBody } from "../../app/data/assistants/register.js";
import { type Assistant, AssistantRefused } from "../../app/data/assistants.js";
import type { NewThread, ThreadRecord } from "../../app/data/threads.js";
import { systemAssistantId } from "../../app/graphs/assistants.js";
import { Http, httpConfig } from "../../app/graphs/config/http.js";
import type { Graph } from "../../app/graphs/load.js";
import type { RunsCore } from "../../app/http/runAnswers.js";
import { createServer, type HttpServer, type ServerDeps } from "../../app/http/server.js";
import type { Follow, FollowFrom } from "../../app/runs/follow.js";
import { type NewRun, type Run, type RunEvent, RunRefused } from "../../app/runs/types.js";
import { readSettings } from "../../app/settings.js";
import { createLog, type Log } from "../../app/telemetry/log.js";
import { Metrics } from "../../app/telemetry/metrics.js";

export const ECHO_ID = systemAssistantId("echo");

/** Runs that stand still until the test moves them. */
export class StillRuns implements RunsCore {
  readonly accepted: NewRun[] = [];
  readonly cancelled: string[] = [];
  readonly followed: FollowFrom[] = [];
  readonly #runs = new Map<string, { run: Run; hash: string; events: RunEvent[] }>();
  readonly #follows = new Set<StillFollow>();
  /** Thrown by the next call. */
  failure: Error | undefined;
  threads = new Set<string>();
  #held = async () => {};

  get openFollows(): number {
    return this.#follows.size;
  }

  async enqueue(run: NewRun): Promise<Run> {
    await this.#held();
    this.#fail();
    const known = this.#runs.get(run.runId);
    if (known && known.hash !== run.requestHash) throw new RunRefused("id_reused", "this id was used");
    if (known) return known.run;
    if (run.lifetime === "thread" && run.ifNotExists === "reject" && !this.threads.has(run.threadId))
      throw new RunRefused("thread_missing", `thread ${run.threadId} does not exist`);
    if (
      run.strategy === "reject" &&
      [...this.#runs.values()].some(({ run: { threadId } }) => threadId === run.threadId)
    )
      throw new RunRefused("thread_busy", `thread ${run.threadId} is busy`);
    const at = new Date();
    const accepted: Run = { ...run, status: "pending", attempt: 0, createdAt: at, updatedAt: at };
    this.accepted.push(run);
    this.#runs.set(run.runId, { run: accepted, hash: run.requestHash, events: [] });
    return accepted;
  }

  async get(threadId: string, runId: string): Promise<Run | undefined> {
    await this.#held();
    this.#fail();
    const run = this.#runs.get(runId)?.run;
    return run?.threadId === threadId ? run : undefined;
  }

  async hasLeftEvents(runId: string): Promise<boolean> {
    return this.#runs.has(runId);
  }

  async list(threadId: string): Promise<Run[]> {
    return [...this.#runs.values()].map(({ run }) => run).filter((run) => run.threadId === threadId);
  }

  async removed(): Promise<void> {}

  async cancelAll(): Promise<void> {}

  async cancelThese(threadId: string, runIds: string[]): Promise<void> {
    for (const runId of runIds) await this.cancel(threadId, runId);
  }

  async cancel(threadId: string, runId: string): Promise<void> {
    const run = await this.get(threadId, runId);
    if (!run) throw new RunRefused("run_missing", `run ${runId} does not exist`);
    if (run.status !== "pending" && run.status !== "running") throw new RunRefused("run_ended", "it has ended");
    this.cancelled.push(runId);
  }

  async follow(_threadId: string, runId: string, from: FollowFrom): Promise<Follow> {
    this.#fail();
    this.followed.push(from);
    const known = this.#runs.get(runId);
    if (!known && from !== "new") throw new RunRefused("run_missing", `run ${runId} does not exist`);
    const events = known?.events ?? [];
    const last = events.at(-1);
    const past =
      from === "start"
        ? events
        : typeof from === "object"
          ? events.slice(events.findIndex(({ id }) => id === from.after) + 1)
          : from === "now" && last?.event === "end"
            ? [last]
            : [];
    const follow = new StillFollow(runId, [...past], () => this.#follows.delete(follow));
    this.#follows.add(follow);
    return follow;
  }

  /** No test of these runs follows a thread. */
  async followThread(threadId: string): Promise<never> {
    throw new RunRefused("thread_missing", `thread ${threadId} does not exist`);
  }

  /** The events of attempt 1 continue: `[name, data]` each. */
  emit(runId: string, ...pairs: [event: string, data: unknown][]): void {
    const known = this.#runs.get(runId);
    if (!known) throw new Error(`no run ${runId}`);
    const batch = pairs.map(([event, data], index) => {
      const seq = known.events.length + index;
      return { id: `1-${seq}`, threadSeq: seq, event, data: JSON.stringify(data) };
    });
    known.events.push(...batch);
    known.run.status = batch.at(-1)?.event === "end" ? "success" : "running";
    known.run.attempt = 1;
    for (const follow of this.#follows) if (follow.runId === runId) follow.deliver(batch);
  }

  /** Following the run fails, as when Redis goes away for long. */
  fail(runId: string, error: Error): void {
    for (const follow of this.#follows) if (follow.runId === runId) follow.fail(error);
  }

  /** The next `get` or `enqueue` waits for `release`. */
  hold(): { reached: Promise<void>; release: () => void } {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      this.#held = async () => {
        this.#held = async () => {};
        resolve();
        await released;
      };
    });
    return { reached, release };
  }

  #fail(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure) throw failure;
  }
}

class StillFollow implements Follow {
  #closed = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(
    readonly runId: string,
    private batch: RunEvent[],
    private readonly leave: () => void,
  ) {}

  accepted(): void {}

  deliver(events: RunEvent[]): void {
    this.batch.push(...events);
    this.#wake();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.leave();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent[]> {
    while (!this.#closed) {
      if (this.#failure) throw this.#failure;
      const { batch } = this;
      this.batch = [];
      if (batch.length > 0) yield batch;
      if (batch.at(-1)?.event === "end") return this.close();
      if (this.batch.length === 0 && !this.#closed)
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
    }
  }
}

export class MemoryThreads {
  readonly records = new Map<string, ThreadRecord>();

  async create({ threadId, metadata, ttl }: NewThread) {
    const known = this.records.get(threadId);
    if (known) return { thread: known, created: false };
    const at = new Date();
    const thread: ThreadRecord = {
      ...{ threadId, metadata, config: {}, createdAt: at, updatedAt: at, stateUpdatedAt: undefined },
      ...{ status: "idle", valuesJson: "null", interruptsJson: "{}", ttl, stale: undefined },
    };
    this.records.set(threadId, thread);
    return { thread, created: true };
  }

  async get(threadId: string) {
    return this.records.get(threadId);
  }

  async change() {
    return undefined;
  }

  async refresh() {}
}

const nowhere = async () => {
  throw new Error("this test has no Redis");
};
const noItems: ServerDeps["items"] = {
  ...{ put: nowhere, get: nowhere, delete: nowhere, search: nowhere, namespaces: nowhere },
};

const noDrafts: ServerDeps["drafts"] = {
  open: nowhere,
  openNew() {
    throw new Error("there is no Redis for drafts");
  },
};

/** The assistants that graphs bring, where nobody makes others. */
export function memoryAssistants(graphIds: string[]): ServerDeps["assistants"] {
  const none = async () => {
    throw new Error("there is no Redis for assistants");
  };
  const get = async (id: string): Promise<Assistant | undefined> => {
    const graphId = graphIds.find((graph) => graph === id || systemAssistantId(graph) === id.toLowerCase());
    const times = { createdAt: new Date(0), updatedAt: new Date(0) };
    return graphId === undefined
      ? undefined
      : {
          ...systemBody({ graphId, description: null }),
          assistantId: systemAssistantId(graphId),
          version: 1,
          ...times,
        };
  };
  return {
    ...{ get, create: none, change: none, delete: none, versions: none, useVersion: none },
    find: async () => ({ total: 0, page: [] }),
    async forRun(id) {
      const assistant = await get(id);
      if (!assistant) throw new AssistantRefused("assistant_missing", `assistant ${id} does not exist`);
      return assistant;
    },
  };
}

export interface Started {
  url: string;
  server: HttpServer;
  runs: StillRuns;
  threads: MemoryThreads;
  close(): Promise<void>;
}

export interface StartOptions {
  environment?: Record<string, string>;
  graphs?: Record<string, Graph>;
  checkpointer?: BaseCheckpointSaver;
  redis?: ServerDeps["redis"];
  items?: ServerDeps["items"];
  queueDepth?: ServerDeps["queueDepth"];
  log?: Log;
  /** The real one, instead of runs that stand still. */
  core?: Pick<ServerDeps, "runs" | "threads" | "redis"> &
    Partial<Pick<ServerDeps, "removals" | "copies" | "storage" | "assistants" | "schemas" | "drafts" | "threadSearch">>;
  /** Those of another server. */
  runs?: StillRuns;
  /** The key `http` of langgraph.json. */
  http?: object;
  threadTtl?: ServerDeps["threadTtl"];
  ui?: ServerDeps["ui"];
}

export async function startServer(options: StartOptions = {}): Promise<Started> {
  const { environment, graphs = {}, checkpointer = new MemorySaver(), redis = { ping: async () => "PONG" } } = options;
  const { runs = new StillRuns(), log = createLog("silent", { instance: "server-1", role: "server" }) } = options;
  const threads = new MemoryThreads();
  const server = createServer({
    settings: readSettings({ REDIS_URL: "redis://localhost", PORT: "0", INSTANCE_NAME: "server-1", ...environment }),
    log,
    redis,
    runs,
    threads,
    threadSearch: { find: nowhere, count: nowhere },
    removals: {
      deleteThread: async (threadId) => threads.records.delete(threadId),
      deleteRun: async () => false,
      prune: async (threadId) => threads.records.has(threadId),
    },
    copies: { copy: nowhere },
    storage: { measure: nowhere },
    assistants: memoryAssistants(["echo", "writer"]),
    schemas: { of: async () => undefined },
    ...options.core,
    graphs: {
      has: (id) => id in graphs,
      get: async (id) => {
        const graph = graphs[id];
        if (!graph) throw new Error(`no graph ${id}`);
        return graph;
      },
      runtime: { version: "1.7.3", Command, Send },
    },
    checkpointer,
    drafts: options.core?.drafts ?? noDrafts,
    items: options.items ?? noItems,
    http: httpConfig("langgraph.json", Http.parse(options.http ?? {})),
    threadTtl: options.threadTtl,
    ui: options.ui ?? new Map(),
    truncate: nowhere,
    metrics: new Metrics(),
    queueDepth: options.queueDepth ?? (async () => ({ claimable: 0, delayed: 0, running: 0 })),
  });
  const port = await server.listen();
  return { url: `http://127.0.0.1:${port}`, server, runs, threads, close: () => server.close() };
}

/** @param body sent as JSON unless it is text */
export function post(url: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export async function detailOf(response: Response): Promise<string> {
  const body = (await response.json()) as { detail: string };
  return body.detail;
}
