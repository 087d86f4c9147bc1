/** What a later attempt of a run does after its worker died: real graphs, real checkpoints, executed as a worker does. */
import { Annotation, END, GraphDrained, interrupt, START, StateGraph } from "@langchain/langgraph";
import pino from "pino";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type Checkpointer, createCheckpointer } from "../../app/data/checkpoints/checkpointer.js";
import { Threads } from "../../app/data/threads.js";
import { type Graph, type Graphs, withCheckpointer } from "../../app/graphs/load.js";
import { findLangGraph, loadRuntime } from "../../app/graphs/runtime.js";
import { connect } from "../../app/redis/connect.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { createPersist } from "../../app/redis/persist.js";
import type { ClaimedRun, RunPayload } from "../../app/runs/types.js";
import { Execution, type ExecutionDeps } from "../../app/worker/execution.js";
import type { Heartbeat } from "../../app/worker/heartbeat.js";
import { graphInput, runConfig } from "../../app/worker/runConfig.js";
import { createTaskProtection } from "../../app/worker/taskProtection.js";
import { Worker } from "../../app/worker/worker.js";
import { type Core, collect, newRun, silent, startCore } from "../support/core.js";
import { graphStoreOn, itemsOn } from "../support/items.js";

let core: Core;
let deps: ExecutionDeps;
let graphs: Graphs;
/** The nodes that were executed, over all attempts. */
let executed: string[] = [];

const State = Annotation.Root({
  log: Annotation<string[]>({ reducer: (all, more) => all.concat(more), default: () => [] }),
});
/** Where an attempt that is to die gets no further. */
let deadEnd: string | undefined;
const node = (name: string) => async () => {
  if (name === deadEnd) await new Promise(() => {});
  executed.push(name);
  return { log: [name] };
};
const builder = () =>
  new StateGraph(State)
    .addNode("first", node("first"))
    .addNode("second", node("second"))
    .addNode("third", node("third"))
    .addEdge(START, "first")
    .addEdge("first", "second")
    .addEdge("second", "third")
    .addEdge("third", END);
let release = () => {};
const known = {
  echo: builder().compile(),
  guarded: builder().compile({ interruptBefore: ["third"] }),
  asks: new StateGraph(State)
    .addNode("ask", () => {
      executed.push("ask");
      return { log: [`answered ${interrupt("what now?")}`] };
    })
    .addEdge(START, "ask")
    .addEdge("ask", END)
    .compile(),
  slow: new StateGraph(State)
    .addNode("wait", async () => {
      executed.push("wait");
      await new Promise<void>((done) => {
        release = done;
      });
      return {};
    })
    .addEdge(START, "wait")
    .addEdge("wait", END)
    .compile(),
  drained: new StateGraph(State)
    .addNode("drain", () => {
      executed.push("drain");
      throw new GraphDrained("budget spent");
    })
    .addEdge(START, "drain")
    .addEdge("drain", END)
    .compile(),
  function: new StateGraph(Annotation.Root({ log: Annotation<unknown>() }))
    .addNode("make", () => ({ log: () => "no JSON" }))
    .addEdge(START, "make")
    .addEdge("make", END)
    .compile(),
} as unknown as Record<string, Graph>;

beforeAll(async () => {
  core = await startCore();
  const runtime = await loadRuntime(findLangGraph(process.cwd()));
  graphs = {
    ids: Object.keys(known),
    runtime,
    timeToLive: { refreshOnRead: true, defaultMs: undefined },
    has: (id) => id in known,
    defaults: () => undefined,
    describe: () => null,
    get: async (id) => known[id] ?? expect.fail(`no graph ${id}`),
  };
  const checkpointer = createCheckpointer(runtime, core);
  const persist = createPersist(core.redis, silent);
  deps = {
    attempts: core.attempts,
    graphs,
    checkpointer,
    store: graphStoreOn(itemsOn(core)),
    persist,
    runTimeoutSeconds: 60,
    logErrorMessages: false,
    log: silent,
  };
});
beforeEach(async () => {
  executed = [];
  await core.admin.flushall();
});
afterAll(() => core.stop());

async function enqueued(graphId: string, payload: Partial<RunPayload> = {}, threadId = uuid()) {
  const run = newRun({ threadId, graphId, payload: { stream_mode: ["values"], input: { log: ["in"] }, ...payload } });
  await core.runs.enqueue(run);
  return run;
}

async function claim(threadId: string): Promise<ClaimedRun> {
  const { runs } = await core.attempts.claim(partitionOf(threadId), Object.keys(known), 1, 30_000);
  return runs[0] ?? expect.fail("nothing to claim");
}

/** An attempt that is gone in `inNode`, when the state after `lastNode` is stored; without them, at its end. */
async function attemptThatDies(threadId: string, lastNode?: string, inNode?: string): Promise<void> {
  deadEnd = inNode;
  const run = await claim(threadId);
  const graph = withCheckpointer(known[run.graphId] ?? expect.fail(), deps.checkpointer);
  const death = new AbortController();
  const { interrupt_before: interruptBefore } = run.payload;
  const guards = interruptBefore && { interruptBefore };
  const options = { ...runConfig(run), ...guards, streamMode: ["values"], durability: "sync", signal: death.signal };
  try {
    for await (const chunk of await graph.stream(graphInput(run, graphs.runtime), options)) {
      const [, { log = [] }] = chunk as [string, { log?: string[] }];
      if (lastNode !== undefined && log.at(-1) === lastNode) death.abort();
    }
  } catch (error) {
    if (!death.signal.aborted) throw error;
  }
  deadEnd = undefined;
  await core.admin.zadd(core.keys.in(partitionOf(threadId), "leases"), 0, run.runId);
  await core.sweep();
}

async function nextAttempt(threadId: string): Promise<void> {
  await new Execution(await claim(threadId), deps).done();
}

const logOf = async (threadId: string) => {
  const thread = await new Threads(core.redis, core.keys).get(threadId);
  return { status: thread?.status, log: JSON.parse(thread?.valuesJson ?? "null")?.log };
};

test("it goes on from the checkpoint, and executes nothing again", async () => {
  const { threadId } = await enqueued("echo");
  await attemptThatDies(threadId, "second", "third");
  await nextAttempt(threadId);
  expect(executed).toEqual(["first", "second", "third"]);
  expect(await logOf(threadId)).toEqual({ status: "idle", log: ["in", "first", "second", "third"] });
});

test("a step whose tasks had all written, but whose checkpoint was not stored, is no end", async () => {
  const { threadId, runId } = await enqueued("echo");
  const run = await claim(threadId);
  const { checkpointer } = deps;
  const dying: Checkpointer = Object.assign(Object.create(checkpointer), {
    put: async (...args: Parameters<Checkpointer["put"]>) => {
      if (args[2].step === 2) throw new Error("died");
      return await checkpointer.put(...args);
    },
  });
  const graph = withCheckpointer(known.echo ?? expect.fail(), dying);
  const config = { ...runConfig(run), durability: "sync" };
  await expect(graph.invoke(graphInput(run, graphs.runtime), config)).rejects.toThrow("died");
  await core.admin.zadd(core.keys.in(partitionOf(threadId), "leases"), 0, runId);
  await core.sweep();

  await nextAttempt(threadId);
  expect(executed).toEqual(["first", "second", "third"]);
  expect(await logOf(threadId)).toEqual({ status: "idle", log: ["in", "first", "second", "third"] });
});

test("a run that began at an older checkpoint goes on where it was, not where it began", async () => {
  const { threadId } = await enqueued("echo");
  await nextAttempt(threadId);
  const graph = withCheckpointer(known.echo ?? expect.fail(), deps.checkpointer);
  const history = [];
  for await (const { config } of graph.getStateHistory({ configurable: { thread_id: threadId } })) history.push(config);
  const oldest = history.at(-2)?.configurable?.checkpoint_id as string;
  executed = [];
  await enqueued("echo", { checkpoint: { checkpoint_id: oldest } }, threadId);
  await attemptThatDies(threadId, "first", "second");
  await nextAttempt(threadId);
  expect(executed).toEqual(["first", "second", "third"]);
});

test.each([
  ["the run", "echo", { interrupt_before: ["third"] }],
  ["the graph", "guarded", {}],
])("a node that %s guards is not executed because a worker died", async (_, graphId, payload) => {
  const run = await enqueued(graphId, payload);
  await attemptThatDies(run.threadId);
  expect(executed).toEqual(["first", "second"]);
  await nextAttempt(run.threadId);
  expect(executed).toEqual(["first", "second"]);
  expect(await core.runs.get(run.threadId, run.runId)).toMatchObject({ status: "success", attempt: 2 });
  expect(await logOf(run.threadId)).toMatchObject({ status: "interrupted" });
});

test("a run that had stopped with a question stays stopped, and answers with the question", async () => {
  const run = await enqueued("asks");
  await attemptThatDies(run.threadId);
  await nextAttempt(run.threadId);
  expect(executed).toEqual(["ask"]);
  const [end] = await collect(await core.runs.follow(run.threadId, run.runId, "now"));
  expect(JSON.parse(end?.data ?? "")).toMatchObject({ log: ["in"], __interrupt__: [{ value: "what now?" }] });

  await enqueued("asks", { input: undefined, command: { resume: "go on" } }, run.threadId);
  await nextAttempt(run.threadId);
  expect(await logOf(run.threadId)).toEqual({ status: "idle", log: ["in", "answered go on"] });
});

test("a graph that drains by itself fails, and is not executed for ever", async () => {
  const run = await enqueued("drained");
  await nextAttempt(run.threadId);
  expect(executed).toEqual(["drain"]);
  expect(await core.runs.get(run.threadId, run.runId)).toMatchObject({ status: "error", attempt: 1 });
});

test("an error is told only together with the run's end, so that no other attempt comes after it", async () => {
  const { threadId, runId } = await enqueued("drained");
  const events = collect(await core.runs.follow(threadId, runId, "start"));
  const dying = vi.spyOn(core.attempts, "finish").mockRejectedValueOnce(new Error("killed"));
  await nextAttempt(threadId);
  expect(dying).toHaveBeenCalledOnce();
  dying.mockRestore();
  await core.admin.zadd(core.keys.in(partitionOf(threadId), "leases"), 0, runId);
  await core.sweep();
  await nextAttempt(threadId);
  const told = (await events)
    .filter(({ event }) => event !== "values")
    .map(({ id, event }) => [id.split("-")[0], event]);
  expect(told).toEqual([
    ["1", "metadata"],
    ["2", "metadata"],
    ["2", "error"],
    ["2", "end"],
  ]);
});

test("a run that its user took back is no error of the worker", async () => {
  const lines: { level: number; event: string }[] = [];
  const log = pino({}, { write: (line) => lines.push(JSON.parse(line)) });
  const { threadId, runId } = await enqueued("slow");
  const execution = new Execution(await claim(threadId), { ...deps, log });
  const done = execution.done();
  await vi.waitFor(() => expect(executed).toEqual(["wait"]));
  await core.runs.cancel(threadId, runId, "rollback");
  execution.stop("lost");
  release();
  await done;
  expect(lines.map(({ event }) => event)).toEqual(["run_started", "run_lost"]);
  expect(lines.filter(({ level }) => level >= 40)).toEqual([]);
});

test("a thread whose state JSON can't hold goes on", async () => {
  const { threadId } = await enqueued("function");
  await nextAttempt(threadId);
  expect(await logOf(threadId)).toMatchObject({ status: "idle" });
  const next = await enqueued("function", {}, threadId);
  await nextAttempt(threadId);
  expect(await core.runs.get(threadId, next.runId)).toMatchObject({ status: "success" });
});

/** Leases are longer than the test, and nobody cancels. */
const noHeartbeat: Heartbeat = {
  port: 0,
  hold() {},
  drop() {},
  report() {},
  count() {},
  unfit() {},
  leave() {},
  async forfeit() {},
  hear() {},
  async stop() {},
};

test("a worker that claims again what it had lost keeps count of both until the old node settles", async () => {
  const { url } = core;

  const blocking = connect({ url }, "blocking", silent);
  const protection = createTaskProtection({ agentUri: undefined, minutes: 30, log: silent });
  const times = { leaseMs: 600_000, runTimeoutSeconds: 60, drainSeconds: 0, abandonedNodeSeconds: 60 };
  const settings = { runsPerWorker: 5, logErrorMessages: false, ...times };
  const worker = new Worker({
    ...deps,
    protection,
    commands: core.redis,
    blocking: [blocking],
    heartbeat: noHeartbeat,
    keys: core.keys,
    settings,
  });
  try {
    const run = await enqueued("slow");
    await vi.waitFor(() => expect(executed).toEqual(["wait"]));
    const settleFirst = release;
    await core.admin.zadd(core.keys.in(partitionOf(run.threadId), "leases"), 0, run.runId);
    await core.sweep();
    await vi.waitFor(() => expect(executed).toEqual(["wait", "wait"]));
    expect(worker.running).toBe(2);
    settleFirst();
    await vi.waitFor(() => expect(worker.running).toBe(1));
    release();
    await vi.waitFor(() => expect(worker.running).toBe(0));
    expect(await core.runs.get(run.threadId, run.runId)).toMatchObject({ status: "success", attempt: 2 });
  } finally {
    await worker.drain();
  }
});
