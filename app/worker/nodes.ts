/**
 * Whether the nodes of a run still work. When its signal aborts, `graph.stream` rejects at once: LangGraph races each
 * node against the signal, and tells callbacks that it ended. A node that ignores the signal goes on, unseen.
 *
 * What is awaited before that race is the function of a `RunnableCallable`: LangGraph's class around each node, task and
 * tool node. So its two methods that call the function are made to count here, once a class: that of the project's own
 * copy of LangGraph, found on the graph's nodes, and through it all tasks and subgraphs of that copy. (Weighed besides:
 * callbacks end with the race; wrapping the nodes of each execution's graph misses tasks and subgraphs that a node
 * calls; async hooks cost every promise of every run.) A class that has not the two methods is left as it is: its nodes
 * count as settled.
 */
import { writerOf } from "../data/checkpoints/author.js";
import { isGraph } from "../graphs/graph.js";
import type { Graph, GraphConfig } from "../graphs/load.js";

type Call = (this: { trace?: boolean }, input: unknown, config?: GraphConfig, ...more: unknown[]) => Promise<unknown>;
type Callable = { invoke: Call; _tracedInvoke: Call };

const watched = new WeakSet<object>();
/** Functions under way by owner, and who waits for the last of them. */
const working = new Map<string, { count: number; waiting: (() => void)[] }>();

/** Counts, from now on, the functions of this graph's nodes and of all that are of the same classes. */
export function watchNodes(graph: Graph): void {
  for (const node of Object.values(graph.nodes))
    if (typeof node === "object" && node && "bound" in node) find(node.bound);
}

/** Resolves when no function works for the run of this claim. */
export async function nodesSettled(owner: string): Promise<void> {
  const found = working.get(owner);
  if (found) await new Promise<void>((resolve) => found.waiting.push(resolve));
}

function find(bound: unknown): void {
  if (isGraph(bound)) watchNodes(bound);
  if (typeof bound !== "object" || bound === null) return;
  if ("steps" in bound && Array.isArray(bound.steps)) for (const step of bound.steps) find(step);
  for (let at = Object.getPrototypeOf(bound); at !== null && !watched.has(at); at = Object.getPrototypeOf(at)) {
    watched.add(at);
    if (isCallable(at)) watch(at);
  }
}

function isCallable(prototype: object): prototype is Callable {
  return Object.hasOwn(prototype, "_tracedInvoke") && Object.hasOwn(prototype, "invoke");
}

function watch(callable: Callable): void {
  const { invoke, _tracedInvoke } = callable;
  callable._tracedInvoke = function (input, config, ...more) {
    return counted(config, _tracedInvoke.call(this, input, config, ...more));
  };
  // Traced, it is the race; untraced, it is the function itself.
  callable.invoke = function (input, config, ...more) {
    const result = invoke.call(this, input, config, ...more);
    return this.trace === false ? counted(config, result) : result;
  };
}

function counted(config: GraphConfig | undefined, result: Promise<unknown>): Promise<unknown> {
  const owner = config?.configurable && writerOf(config.configurable).author?.owner;
  if (owner === undefined) return result;
  const mine = working.get(owner) ?? { count: 0, waiting: [] };
  working.set(owner, mine);
  mine.count++;
  const settle = () => {
    mine.count--;
    if (mine.count > 0) return;
    working.delete(owner);
    for (const resolve of mine.waiting) resolve();
  };
  result.then(settle, settle);
  return result;
}
