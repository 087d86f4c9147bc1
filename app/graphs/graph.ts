/**
 * What this project asks of a compiled graph. The types are ours and structural, because the classes are those of the
 * user's own copy of LangGraph, which may be another version than ours.
 */
import type { BaseCheckpointSaver, BaseStore } from "@langchain/langgraph-checkpoint";

/** A runnable's configuration: `configurable` with the thread, and what `graph.stream` takes besides. */
export interface GraphConfig {
  configurable?: Record<string, unknown>;
  [option: string]: unknown;
}

export interface Interrupt {
  id?: string;
  value?: unknown;
}

export interface SnapshotTask {
  id: string;
  name: string;
  path?: unknown;
  /** As it was stored: `{name, message}`, or the error itself. */
  error?: unknown;
  interrupts?: Interrupt[];
  /** Of a subgraph's task: its state, or the config to ask for it. */
  state?: StateSnapshot | GraphConfig;
  result?: unknown;
}

export interface StateSnapshot {
  values: unknown;
  /** Nodes to execute next. */
  next: string[];
  tasks: SnapshotTask[];
  metadata?: Record<string, unknown>;
  config: GraphConfig;
  createdAt?: string;
  parentConfig?: GraphConfig;
}

/** One of `streamEvents`. */
export interface GraphEvent {
  event: string;
  name: string;
  run_id: string;
  tags?: string[];
  metadata: Record<string, unknown>;
  data: { input?: unknown; output?: unknown; chunk?: unknown };
}

/** What a node is said to have written; a Command is one of the graph's own copy of LangGraph. */
export interface StateUpdate {
  values: unknown;
  asNode: string;
}

export interface Graph {
  /** What it was compiled from; the functional API has none. */
  readonly builder?: object;
  readonly nodes: Record<string, unknown>;
  readonly channels: Record<string, unknown>;
  /** What its nodes find as `config.store`. */
  readonly store?: BaseStore;
  /** Nodes that it was compiled to stop at. */
  readonly interruptBefore?: "*" | string[];
  readonly interruptAfter?: "*" | string[];
  /** Chunks `[mode, data]`, or `[namespace, mode, data]` with `subgraphs: true`, when `streamMode` is a list. */
  stream(input: unknown, options?: GraphConfig): Promise<AsyncIterable<unknown>>;
  streamEvents(input: unknown, options: GraphConfig & { version: "v2" }): AsyncIterable<GraphEvent>;
  invoke(input: unknown, options?: GraphConfig): Promise<unknown>;
  getState(config: GraphConfig, options?: { subgraphs?: boolean }): Promise<StateSnapshot>;
  getStateHistory(
    config: GraphConfig,
    options?: { limit?: number; before?: GraphConfig; filter?: Record<string, unknown> },
  ): AsyncIterable<StateSnapshot>;
  /** @returns the configuration that names the new checkpoint @throws InvalidUpdateError, or what the graph's code throws */
  updateState(config: GraphConfig, values: unknown, asNode?: string): Promise<GraphConfig>;
  bulkUpdateState(config: GraphConfig, supersteps: { updates: StateUpdate[] }[]): Promise<GraphConfig>;
  /** For drawing; subgraphs are drawn within, as many levels as `xray` says. */
  getGraphAsync(config: GraphConfig & { xray: boolean | number }): Promise<{ toJSON(): unknown }>;
  /** `[namespace, subgraph]` each, such as `node` or, with `recurse`, `node|inner`. */
  getSubgraphsAsync(namespace: string | undefined, recurse: boolean): AsyncIterable<[string, Graph]>;
}

export function isGraph(value: unknown): value is Graph {
  if (typeof value !== "object" || value === null) return false;
  return "lg_is_pregel" in value && value.lg_is_pregel === true && "nodes" in value && "channels" in value;
}

/**
 * The same graph with another checkpointer, for one run or one request; `undefined` is none, also where the user compiled
 * one in. The shared graph is not touched, so runs side by side can't disturb each other. A graph that was compiled
 * without a store gets `store`.
 *
 * It is the copy that LangGraph's own `withConfig` makes. The alternatives, tried on 1.4.0 and 1.7.3: setting
 * `graph.checkpointer` (as the development server does) is a race between runs; the private configurable
 * `__pregel_checkpointer` can't take a checkpointer away, and state methods take its presence for "inside a task" and
 * don't find subgraphs; a prototype or proxy over the graph loses its private methods (`streamEvents` v3).
 * Subgraphs need nothing: they are lent the checkpointer of the graph above them.
 */
export function withCheckpointer(
  graph: Graph,
  checkpointer: BaseCheckpointSaver | undefined,
  store?: BaseStore,
): Graph {
  const Copy = graph.constructor as new (fields: object) => Graph;
  // The constructor adds to `channels`, and with autoValidate to what it shares with the original.
  const copy = new Copy({ ...graph, channels: { ...graph.channels }, autoValidate: false });
  return Object.assign(copy, graph, { checkpointer: checkpointer ?? false, store: graph.store ?? store });
}
