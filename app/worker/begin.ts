/**
 * Where an attempt begins. The first one starts from the run's input. A later one (its worker was lost, or drained) asks
 * which run stored the thread's newest checkpoint: not this run, and nothing was done yet, so it starts again; this run,
 * and it goes on from there without input. If the run had already come to a stop there (nothing next, a guarded node
 * next, its own question open), there is nothing to execute: a node that waits for a human must not run, and a question
 * must not be answered, because a worker died.
 *
 * A run that starts again may have written beside checkpoints that it did not store: an answer that it brought, a
 * question, an error. Those are taken back first, or its command would meet itself.
 */

import type { Checkpointer } from "../data/checkpoints/checkpointer.js";
import type { Graph, StateSnapshot } from "../graphs/load.js";
import type { ClaimedRun } from "../runs/types.js";

export type Begin = { from: "input" } | { from: "checkpoint" } | { from: "stopped"; snapshot: StateSnapshot };

/** @param graph with the checkpointer of the run's thread @param config of the run, naming no checkpoint */
export async function decideBegin(
  run: ClaimedRun,
  graph: Graph,
  checkpointer: Checkpointer,
  config: Record<string, unknown>,
): Promise<Begin> {
  if (run.attempt === 1 || run.lifetime === "delete") return { from: "input" };
  const newest = await checkpointer.newest(run.threadId);
  if (newest?.runId !== run.runId) {
    await checkpointer.takeBack(run);
    return { from: "input" };
  }

  const snapshot = await graph.getState(config);
  return (await hasStopped(run, graph, snapshot)) ? { from: "stopped", snapshot } : { from: "checkpoint" };
}

async function hasStopped(run: ClaimedRun, graph: Graph, snapshot: StateSnapshot): Promise<boolean> {
  // Not `next`: it leaves out the tasks whose writes are stored, but a step ends with the checkpoint that they lead to.
  if (snapshot.tasks.length === 0) return true;
  if (snapshot.tasks.some((task) => (task.interrupts?.length ?? 0) > 0)) return true;
  const before = run.payload.interrupt_before ?? graph.interruptBefore;
  const after = run.payload.interrupt_after ?? graph.interruptAfter;
  if (guards(before, snapshot.next)) return true;
  if (!after?.length || !snapshot.parentConfig) return false;
  // The checkpoint doesn't name the nodes that led to it; its parent names them as next.
  const parent = await graph.getState(snapshot.parentConfig);
  return guards(after, parent.next);
}

function guards(nodes: "*" | string[] | undefined, names: string[]): boolean {
  return nodes === "*" || names.some((name) => nodes?.includes(name));
}
