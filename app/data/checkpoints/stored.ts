/** The shapes of stored checkpoints, and how they are read from the answers of the scripts. */
import type { Author } from "./author.js";
import type { Blobs, Cell } from "./cells.js";

/** A namespace of a thread; `""` is the root graph's. */
export interface Place {
  threadId: string;
  ns: string;
}

/** A checkpoint to store. */
export interface Step extends Place {
  id: string;
  parentId: string | undefined;
  /** JSON of the checkpoint without its `channel_values`. */
  head: string;
  /** LangGraph's `v`. */
  format: number;
  metadata: Cell;
  /** Channels whose values are the parent's. Versions are JSON. */
  unchanged: { channel: string; version: string }[];
  changed: { channel: string; version: string; value: Cell }[];
}

/** One write of a task, waiting beside the checkpoint that the task started from. */
export interface StoredWrite {
  taskId: string;
  taskPath: string;
  /** Order within the task; below 0 for LangGraph's own channels. */
  idx: number;
  channel: string;
  value: Cell;
}

export interface StoredValue {
  channel: string;
  value: Cell;
}

export interface StoredCheckpoint {
  id: string;
  parentId: string | undefined;
  head: string;
  metadata: Cell;
  values: StoredValue[];
  writes: StoredWrite[];
  /** Formats before 4 kept the tasks that a checkpoint sends as writes of its parent. */
  parentSends: StoredWrite[];
}

/** What an ancestor of a checkpoint holds of some channels. */
export interface Ancestor {
  values: StoredValue[];
  writes: StoredWrite[];
}

/**
 * The newest checkpoint of a thread's root namespace, and the writes that wait beside it, each with its author: none where
 * no attempt of a run stored it, but a state update, for example.
 */
export interface NewestCheckpoint extends Partial<Author> {
  checkpointId: string;
  writes: ({ taskId: string; channel: string } & Partial<Author>)[];
}

export function readCheckpoint(reply: unknown, blobs: Blobs): StoredCheckpoint {
  const [id, parent, head, metadata, values, writes, sends] = list(reply);
  const [type, content] = list(metadata);
  return {
    id: text(id),
    parentId: text(parent) || undefined,
    head: text(head),
    metadata: { type: text(type), bytes: bytes(content) },
    values: readValues(values, blobs),
    writes: readWrites(writes, blobs),
    parentSends: readWrites(sends, blobs),
  };
}

export function readAncestor(reply: unknown, blobs: Blobs): Ancestor {
  const [values, writes] = list(reply);
  return { values: readValues(values, blobs), writes: readWrites(writes, blobs) };
}

export function readNewest(reply: unknown): NewestCheckpoint | undefined {
  const [id, author, ...writes] = list(reply);
  if (id === undefined) return undefined;
  return {
    checkpointId: text(id),
    ...readAuthor(author),
    writes: writes.map((write) => {
      const [taskId, channel, by] = list(write);
      return { taskId: text(taskId), channel: text(channel), ...readAuthor(by) };
    }),
  };
}

function readValues(reply: unknown, blobs: Blobs): StoredValue[] {
  return list(reply).map((value) => {
    const [channel, , type, digest, content] = list(value);
    return { channel: text(channel), value: blobs.open(text(type), bytes(digest), bytes(content)) };
  });
}

function readWrites(reply: unknown, blobs: Blobs): StoredWrite[] {
  return list(reply).map((write) => {
    const [taskId, taskPath, idx, channel, type, digest, content] = list(write);
    return {
      taskId: text(taskId),
      taskPath: text(taskPath),
      idx: Number(text(idx)),
      channel: text(channel),
      value: blobs.open(text(type), bytes(digest), bytes(content)),
    };
  });
}

function readAuthor(reply: unknown): Author | undefined {
  const [runId, attempt, owner] = list(reply);
  return runId === undefined ? undefined : { runId: text(runId), attempt: Number(text(attempt)), owner: text(owner) };
}

/** @throws TypeError when the answer has another shape: a script and its caller don't agree */
export function list(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw new TypeError("Redis answered no list");
  return reply;
}

export function bytes(reply: unknown): Buffer {
  if (!Buffer.isBuffer(reply)) throw new TypeError("Redis answered no bytes");
  return reply;
}

export function text(reply: unknown): string {
  return bytes(reply).toString();
}
