/**
 * One claimed run, from the claim until it leaves this worker. It streams the graph, and then it is exactly one of
 *   finished   the graph ended, failed, was cancelled or ran out of time: a terminal status
 *   released   the worker drains, or was without Redis for too long: another one goes on from the run's checkpoint
 *   lost       another attempt owns the run: nothing more is written
 */
import type { BaseStore } from "@langchain/langgraph-checkpoint";
import type { Checkpointer } from "../data/checkpoints/checkpointer.js";
import { type Graph, type Graphs, type RunControl, type StateSnapshot, withCheckpointer } from "../graphs/load.js";
import { describeError } from "../graphs/serialize.js";
import { isAway } from "../redis/away.js";
import type { Persist } from "../redis/persist.js";
import type { Attempts, NewEvent, Outcome } from "../runs/attempts.js";
import type { ClaimedRun } from "../runs/types.js";
import { stackFrames } from "../telemetry/frames.js";
import type { Log } from "../telemetry/log.js";
import { decideBegin } from "./begin.js";
import { EventWriter } from "./eventWriter.js";
import { nodesSettled, watchNodes } from "./nodes.js";
import { ended, errorEvent, failed } from "./outcome.js";
import { atNewest, graphInput, type RunConfig, runConfig } from "./runConfig.js";
import { StreamEvents } from "./streamEvents.js";

export interface ExecutionDeps {
  attempts: Attempts;
  graphs: Graphs;
  checkpointer: Checkpointer;
  store: BaseStore;
  persist: Persist;
  runTimeoutSeconds: number;
  /** A graph's error messages may hold what the user sent: only where the log is the developer's own terminal. */
  logErrorMessages: boolean;
  log: Log;
}

/**
 * Why a run is stopped from outside: cancelled, owned by another attempt, out of time, the worker drains, or Redis has
 * been away for too long.
 */
export type StopReason = "interrupt" | "lost" | "timeout" | "drain" | "outage";

/** How a run left this worker: with its status, handed back, lost to another attempt, or left to its lease. */
export type Left = Outcome["status"] | "ended" | "released" | "lost" | "left";

class Stopped extends Error {
  constructor(readonly reason: StopReason) {
    super(`the run was stopped: ${reason}`);
  }
}

class RunTimeout extends Error {
  override name = "RunTimeout";

  constructor(seconds: number) {
    super(`the run took longer than ${seconds} seconds`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Stopped || isAway(error) ? error.message : error instanceof Error ? error.name : typeof error;
}

/**
 * A graph that is stopped stores what it had reached, and ends its stream: that is waited for. Code that does not listen
 * is not: the run must be terminal within a second.
 */
const STREAM_ENDS_WITHIN_MS = 250;

function lateAfter(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => setTimeout(() => reject(signal.reason), STREAM_ENDS_WITHIN_MS);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

export class Execution {
  readonly #graphSignal = new AbortController();
  /** Ends what is tried for the run on Redis: nothing of it would be kept. */
  readonly #writeSignal = new AbortController();
  readonly #control: RunControl;
  #drainRequested = false;
  #wasCutShort = false;
  /** Settles when the graph's stream, or what makes the graph, comes to its end, which code that is stopped may ignore. */
  #streaming: Promise<unknown> = Promise.resolve();
  readonly #events: StreamEvents;
  readonly #writer: EventWriter;
  readonly #config: RunConfig;
  readonly #log: Log;

  constructor(
    readonly run: ClaimedRun,
    private readonly deps: ExecutionDeps,
  ) {
    this.#log = deps.log.child({ runId: run.runId, attempt: run.attempt });
    this.#config = runConfig(run, deps.graphs.defaults(run.graphId));
    this.#control = new deps.graphs.runtime.RunControl();
    this.#events = new StreamEvents(run.payload.stream_mode, run.payload.stream_subgraphs ?? false);
    const onWord = (word: "lost" | "interrupt") => this.stop(word);
    this.#writer = new EventWriter(deps.attempts, run, onWord, deps.persist, this.#writeSignal.signal);
  }

  /** Stops the graph through its signal. The first reason counts, but `lost` overrules the others. */
  stop(reason: StopReason): void {
    if (reason === "lost") this.#writeSignal.abort(new Stopped(reason));
    this.#graphSignal.abort(new Stopped(reason));
  }

  /** Asks the graph to stop at its next superstep, where its checkpoint is saved; a run without checkpoints goes on. */
  requestDrain(): void {
    if (this.run.lifetime === "delete") return;
    this.#drainRequested = true;
    this.#control.requestDrain("SIGTERM");
  }

  /** Leaves the run to its lease: the process must end, and Redis does not take what is left to write. */
  abandon(): void {
    this.#writeSignal.abort(new Stopped("drain"));
  }

  /** Resolves when the run has left this worker, with what became of it. Never rejects. */
  async done(): Promise<Left> {
    const remainingMs = this.deps.runTimeoutSeconds * 1000 - this.run.runningMs;
    const timer = setTimeout(() => this.stop("timeout"), Math.max(0, remainingMs));
    try {
      this.#log.info({ event: "run_started", graphId: this.run.graphId }, "run started");
      const outcome = await this.#streamToItsEnd();
      const word = outcome ? await this.#finish(outcome) : await this.#release();
      this.#log.info({ event: `run_${word}`, status: outcome?.status ?? "pending" }, `run ${word}`);
      return word === "ended" && outcome ? outcome.status : word;
    } catch (error) {
      // It was rolled back, deleted, overruled or taken over: nothing went wrong here.
      if (this.#isLost()) {
        this.#log.info({ event: "run_lost" }, "run lost");
        return "lost";
      }
      // Its lease will expire.
      this.#log.error({ event: "run_left", reason: reasonOf(error) }, "run left without its end");
      return "left";
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Resolves when no node of the run works any more. One that ignores its signal, or the failure of a node beside it, goes
   * on after the run has left; where the graph ended by itself, what its nodes left behind is their own affair.
   */
  async settled(): Promise<void> {
    if (!this.#wasCutShort) return;
    await this.#streaming;
    await nodesSettled(this.run.owner);
  }

  #isLost(): boolean {
    const { reason } = this.#writeSignal.signal;
    return reason instanceof Stopped && reason.reason === "lost";
  }

  /** @returns undefined when the worker drains and another one is to go on */
  async #streamToItsEnd(): Promise<Outcome | undefined> {
    try {
      const streamed = this.#streamFromItsBegin();
      this.#streaming = streamed.catch(() => {});
      await Promise.race([streamed, lateAfter(this.#graphSignal.signal)]);
      return ended("success", this.#events.answer, await this.#snapshot());
    } catch (error) {
      return await this.#interpret(error);
    }
  }

  async #streamFromItsBegin(): Promise<void> {
    const { graphs, checkpointer, store } = this.deps;
    const shared = await graphs.get(this.run.graphId, this.#config);
    const graph = withCheckpointer(shared, this.run.lifetime === "delete" ? undefined : checkpointer, store);
    watchNodes(graph);
    const begin = await decideBegin(this.run, graph, checkpointer, atNewest(this.#config));
    if (begin.from === "input") await this.#stream(graph, graphInput(this.run, graphs.runtime), this.#config);
    if (begin.from === "checkpoint") await this.#stream(graph, null, atNewest(this.#config));
  }

  async #stream(graph: Graph, input: unknown, config: RunConfig): Promise<void> {
    this.#graphSignal.signal.throwIfAborted();
    const { payload } = this.run;
    const options = {
      ...config,
      streamMode: this.#events.graphModes,
      subgraphs: payload.stream_subgraphs ?? false,
      signal: this.#graphSignal.signal,
      control: this.#control,
      ...(payload.durability && { durability: payload.durability }),
      ...(payload.interrupt_before && { interruptBefore: payload.interrupt_before }),
      ...(payload.interrupt_after && { interruptAfter: payload.interrupt_after }),
    };
    if (this.#events.wantsEvents) return await this.#streamAllEvents(graph, input, options);
    for await (const chunk of await graph.stream(input, options)) await this.#take(chunk);
  }

  /** Twice the cost of `stream`: only for clients that asked for `events`. */
  async #streamAllEvents(graph: Graph, input: unknown, options: Record<string, unknown>): Promise<void> {
    for await (const event of graph.streamEvents(input, { ...options, version: "v2" })) {
      const ofTheGraph = event.event === "on_chain_stream" && event.run_id === this.run.runId;
      // What the graph itself streams comes in the modes that the client asked for, not in those that we need as well.
      if (ofTheGraph) await this.#take(event.data.chunk);
      else await this.#write(this.#events.event(event));
    }
  }

  /** @param chunk `[mode, chunk]`, or `[namespace, mode, chunk]` where subgraphs are streamed */
  async #take(chunk: unknown): Promise<void> {
    const parts = chunk as unknown[];
    const [namespace, mode, data] = parts.length === 3 ? parts : [[], ...parts];
    await this.#write(this.#events.convert(namespace as string[], mode as string, data));
  }

  /** A graph that is stopped may still stream for a while: nobody is to see it. */
  async #write(events: NewEvent[]): Promise<void> {
    this.#graphSignal.signal.throwIfAborted();
    await this.#writer.write(events);
  }

  async #interpret(error: unknown): Promise<Outcome | undefined> {
    this.#wasCutShort = true;
    const { reason } = this.#graphSignal.signal;
    const stopped = reason instanceof Stopped ? reason.reason : undefined;
    if (stopped === "lost") throw error;
    // A graph may drain graphs of its own: where this worker did not ask for it, it is the graph's error.
    const drained = this.#drainRequested && this.deps.graphs.runtime.isDrained(error);
    if (stopped === "drain" || stopped === "outage" || drained) return undefined;
    if (stopped !== "interrupt") this.#logFailure(stopped ?? error);

    const write = (snapshot: StateSnapshot | undefined) => {
      if (stopped === "interrupt") return ended("interrupted", this.#events.answer, snapshot);
      return failed(stopped === "timeout" ? new RunTimeout(this.deps.runTimeoutSeconds) : error, snapshot);
    };
    try {
      return write(await this.#snapshot());
    } catch (unreadable) {
      // What the graph left can't be read or sent, which may be why it failed; its run must end all the same.
      this.#logFailure(unreadable);
      return write(undefined);
    }
  }

  /** The thread's state now; undefined for a run without checkpoints. */
  async #snapshot(): Promise<StateSnapshot | undefined> {
    const { run, deps } = this;
    if (run.lifetime === "delete") return undefined;
    const graph = withCheckpointer(await deps.graphs.get(run.graphId, this.#config), deps.checkpointer);
    return await graph.getState({ configurable: { thread_id: run.threadId } });
  }

  async #finish(outcome: Outcome): Promise<"ended" | "lost"> {
    const { first, events } = await this.#writer.rest();
    // Sent before, an error could be followed by another attempt: it comes together with the status that makes it the end.
    const all = [...events, ...errorEvent(outcome)];
    const write = () => this.deps.attempts.finish(this.run, outcome, first, all);
    return await this.deps.persist(write, this.#writeSignal.signal);
  }

  async #release(): Promise<"released" | "ended" | "lost"> {
    const { first, events } = await this.#writer.rest();
    const write = async () => {
      if (events.length > 0) await this.deps.attempts.append(this.run, first, events);
      return await this.deps.attempts.release(this.run);
    };
    return await this.deps.persist(write, this.#writeSignal.signal);
  }

  #logFailure(error: unknown): void {
    const name = error instanceof Error ? error.name : typeof error;
    const message = this.deps.logErrorMessages ? { message: describeError(error).message } : {};
    this.#log.error({ event: "graph_failed", error: name, ...message, frames: stackFrames(error) }, "graph failed");
  }
}
