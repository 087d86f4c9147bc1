/**
 * Who writes a checkpoint. LangGraph hands `config.configurable` of a run through to every write of the graph and of its
 * subgraphs; the worker puts the identity of its attempt there, and each write is refused once the run is another's.
 */
import type { ClaimedRun } from "../../runs/types.js";

/** The attempt of a run that stored something. */
export interface Author {
  runId: string;
  attempt: number;
  /** The nonce of the claim. */
  owner: string;
}

/** A write came from an attempt that does not own its run, or whose run is not its thread's active one, any more. */
export class FencedError extends Error {
  override name = "FencedError";

  constructor(readonly threadId: string) {
    super(`the run was taken over or has ended: this attempt may not write to thread ${threadId} any more`);
  }
}

const OWNER = "__switchyard_owner";
const ATTEMPT = "__switchyard_attempt";
const VERSION = "__switchyard_version";

/** For `config.configurable` of an attempt: its writes are stored under its name, and only while it owns the run. */
export function writtenBy(run: Pick<ClaimedRun, "runId" | "owner" | "attempt">): Record<string, unknown> {
  return { run_id: run.runId, [OWNER]: run.owner, [ATTEMPT]: run.attempt };
}

/**
 * For `config.configurable` of a state update: it is refused once something has happened on the thread.
 * @param version of the thread when its state was read; see `runs/lua/include/thread_version.lua`
 */
export function whileUnchanged(version: string): Record<string, unknown> {
  return { [VERSION]: version };
}

export interface Writer {
  author: Author | undefined;
  /** The thread's, on which the write depends; undefined where it depends on none. */
  version: string | undefined;
}

/** @throws when the configuration names an owner without its run and attempt: such a write could not be judged */
export function writerOf(configurable: Record<string, unknown>): Writer {
  const { run_id: runId, [OWNER]: owner, [ATTEMPT]: attempt } = configurable;
  const version = configurable[VERSION];
  if (owner === undefined) return { author: undefined, version: typeof version === "string" ? version : undefined };
  if (typeof owner !== "string" || typeof runId !== "string" || typeof attempt !== "number")
    throw new TypeError(`a configuration with ${OWNER} needs run_id and ${ATTEMPT}`);
  return { author: { runId, attempt, owner }, version: undefined };
}

/** What of a configuration must stay in the ones derived from it: LangGraph writes on with those that `put` returns. */
export function identityIn(configurable: Record<string, unknown>): Record<string, unknown> {
  const kept = Object.entries(configurable).filter(([name]) => name === OWNER || name === ATTEMPT || name === VERSION);
  if (kept.some(([name]) => name === OWNER)) kept.push(["run_id", configurable.run_id]);
  return Object.fromEntries(kept);
}
