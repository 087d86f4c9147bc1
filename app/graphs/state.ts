/**
 * A graph's state as the API shows it. LangGraph's snapshots carry more than clients may see: the configuration of the
 * run (functions, the checkpointer, our own `__switchyard_` keys) and whatever a server put into it to authenticate the
 * user. Only a checkpoint's identity leaves from a configuration, and metadata leaves without such keys.
 */
import type { GraphConfig, Interrupt, SnapshotTask, StateSnapshot } from "./graph.js";
import { describeError } from "./serialize.js";

export interface CheckpointRef {
  thread_id: string;
  checkpoint_ns: string;
  /** null: the newest one (of a subgraph's task). */
  checkpoint_id: string | null;
  checkpoint_map: Record<string, unknown> | null;
}

export interface ThreadTask {
  id: string;
  name: string;
  path: unknown;
  error: string | null;
  interrupts: Interrupt[];
  /** Of a subgraph's task, unless `state` is there and says it. */
  checkpoint: CheckpointRef | null;
  state: ThreadState | null;
  result: unknown;
}

/** ThreadState of the API. Values may still hold messages: write it with `toJson`. */
export interface ThreadState {
  values: unknown;
  next: string[];
  tasks: ThreadTask[];
  checkpoint: CheckpointRef | null;
  metadata: Record<string, unknown>;
  created_at: string | null;
  parent_checkpoint: CheckpointRef | null;
  interrupts: Interrupt[];
}

/** @param snapshot of `getState` or `getStateHistory`; that of a thread without checkpoints is an empty state */
export function toThreadState(snapshot: StateSnapshot): ThreadState {
  return {
    values: snapshot.values,
    next: snapshot.next,
    tasks: snapshot.tasks.map(toThreadTask),
    checkpoint: toCheckpoint(snapshot.config),
    metadata: publicMetadata(snapshot.metadata ?? {}),
    created_at: snapshot.createdAt ?? null,
    parent_checkpoint: toCheckpoint(snapshot.parentConfig),
    interrupts: snapshot.tasks.flatMap((task) => task.interrupts ?? []),
  };
}

/** Open interrupts by the id of their task; a task without one is not in it. */
export function interruptsOf(snapshot: StateSnapshot): Record<string, Interrupt[]> {
  const open = snapshot.tasks.filter((task) => task.interrupts?.length);
  return Object.fromEntries(open.map((task) => [task.id, task.interrupts ?? []]));
}

/**
 * What a thread is after a run that did not fail: it waits for a human or for its next step, or it is at rest. Not by
 * `next`, which leaves out the tasks that have written: one that asks a second time, and those of a step that was
 * stopped between its writes and the checkpoint that they lead to.
 */
export function threadStatusOf(snapshot: Pick<StateSnapshot, "tasks">): "interrupted" | "idle" {
  return snapshot.tasks.length > 0 ? "interrupted" : "idle";
}

/** The checkpoint that a configuration names; null where it names no thread, or only the thread. */
export function toCheckpoint(config: GraphConfig | undefined): CheckpointRef | null {
  const { thread_id, checkpoint_ns = "", checkpoint_id = null, checkpoint_map = null } = config?.configurable ?? {};
  if (typeof thread_id !== "string" || typeof checkpoint_ns !== "string") return null;
  if (typeof checkpoint_id !== "string" && checkpoint_ns === "") return null;
  return {
    thread_id,
    checkpoint_ns,
    checkpoint_id: typeof checkpoint_id === "string" ? checkpoint_id : null,
    checkpoint_map: isRecord(checkpoint_map) ? checkpoint_map : null,
  };
}

const INTERNAL = /^(__|langgraph_auth_)/;
const CREDENTIAL = /^(authorization|proxy-authorization|(set-)?cookie)$|(api[-_]?key|password|secret|token)$/i;

/** Metadata, or a `configurable`, without internal keys and credentials (`x-api-key`, `openai_api_key`, `accessToken`). */
export function publicMetadata(record: Record<string, unknown>): Record<string, unknown> {
  const visible = Object.entries(record).filter(([key]) => !INTERNAL.test(key) && !CREDENTIAL.test(key));
  return Object.fromEntries(visible);
}

export function isSnapshot(value: unknown): value is StateSnapshot {
  return isRecord(value) && "values" in value && Array.isArray(value.next) && Array.isArray(value.tasks);
}

function toThreadTask(task: SnapshotTask): ThreadTask {
  const { state } = task;
  return {
    id: task.id,
    name: task.name,
    path: task.path ?? [],
    error: errorText(task.error),
    interrupts: task.interrupts ?? [],
    checkpoint: isSnapshot(state) ? null : toCheckpoint(state),
    state: isSnapshot(state) ? toThreadState(state) : null,
    result: task.result ?? null,
  };
}

function errorText(error: unknown): string | null {
  if (error === undefined || error === null) return null;
  const { error: name, message } = describeError(error);
  return `${name}: ${message}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
