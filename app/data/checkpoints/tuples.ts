/** Between LangGraph's checkpoints and stored ones: which values travel, and how they come back. */
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointMetadata,
  CheckpointPendingWrite,
  CheckpointTuple,
  DeltaChannelHistory,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import { type Configurable, configOf } from "./address.js";
import { decode, encode, type Serializer } from "./cells.js";
import type { Ancestor, Place, Step, StoredCheckpoint, StoredWrite } from "./stored.js";

/** The channel of the tasks that a checkpoint sends. */
const TASKS = "__pregel_tasks";

/**
 * Of its own channels LangGraph keeps the latest write of a task, at these places (`WRITES_IDX_MAP` of
 * `@langchain/langgraph-checkpoint`).
 */
const OWN_PLACES = new Map([
  ["__error__", -1],
  ["__scheduled__", -2],
  ["__interrupt__", -3],
  ["__resume__", -4],
]);

/** Whether a channel changed since the parent. Everything did in the copy of a first checkpoint: it names no parent. */
export function changedSince(
  parentId: string | undefined,
  { channel_versions }: Checkpoint,
  metadata: CheckpointMetadata,
  newVersions: ChannelVersions,
): (channel: string) => boolean {
  const copyOfFirst = parentId === undefined && metadata.source === "fork";
  return (channel) => copyOfFirst || Object.hasOwn(newVersions, channel) || !Object.hasOwn(channel_versions, channel);
}

/**
 * A checkpoint to store, with the values of the channels for which `isChanged` holds; the others are the parent's.
 * Without a parent there is nothing to take the others from, and they are left out.
 */
export async function toStep(
  serde: Serializer,
  { threadId, ns, parentId }: Place & { parentId: string | undefined },
  { channel_values, ...head }: Checkpoint,
  metadata: CheckpointMetadata,
  isChanged: (channel: string) => boolean,
): Promise<Step> {
  const channels = Object.keys(channel_values);
  const versioned = (channel: string) => ({ channel, version: JSON.stringify(head.channel_versions[channel] ?? null) });
  const [encodedMetadata, ...changed] = await Promise.all([
    encode(serde, metadata),
    ...channels
      .filter(isChanged)
      .map(async (channel) => ({ ...versioned(channel), value: await encode(serde, channel_values[channel]) })),
  ]);
  return {
    ...{ threadId, ns, id: head.id, parentId },
    ...{ head: JSON.stringify(head), format: head.v, metadata: encodedMetadata },
    unchanged: parentId === undefined ? [] : channels.filter((channel) => !isChanged(channel)).map(versioned),
    changed,
  };
}

export async function toWrites(
  serde: Serializer,
  writes: PendingWrite[],
): Promise<Pick<StoredWrite, "idx" | "channel" | "value">[]> {
  return await Promise.all(
    writes.map(async ([channel, value], at) => ({
      idx: OWN_PLACES.get(channel) ?? at,
      channel,
      value: await encode(serde, value),
    })),
  );
}

/** @param configurable of the caller, whose identity the configurations of the tuple keep */
export async function toTuple(
  serde: Serializer,
  place: Place,
  stored: StoredCheckpoint,
  configurable: Configurable,
): Promise<CheckpointTuple> {
  const { id, parentId } = stored;
  const [metadata, values, pendingWrites, sends] = await Promise.all([
    decode(serde, stored.metadata),
    Promise.all(stored.values.map(async ({ channel, value }) => [channel, await decode(serde, value)] as const)),
    toPendingWrites(serde, stored.writes),
    toPendingWrites(serde, stored.parentSends),
  ]);
  const checkpoint: Checkpoint = { ...JSON.parse(stored.head), channel_values: Object.fromEntries(values) };
  return {
    config: configOf(place, id, configurable),
    checkpoint: checkpoint.v < 4 && parentId ? withSends(checkpoint, sends) : checkpoint,
    metadata: metadata as CheckpointMetadata,
    pendingWrites,
    ...(parentId && { parentConfig: configOf(place, parentId, configurable) }),
  };
}

/** What a channel was written on the way to a checkpoint, oldest first, after the value that it had there before. */
export async function toHistory(
  serde: Serializer,
  ancestors: Ancestor[],
  channel: string,
): Promise<DeltaChannelHistory> {
  const holds = (ancestor: Ancestor) => ancestor.values.find((value) => value.channel === channel);
  const first = ancestors.findIndex(holds);
  const path = first < 0 ? ancestors : ancestors.slice(0, first + 1);
  const steps = await Promise.all(
    path.toReversed().map(({ writes }) =>
      toPendingWrites(
        serde,
        writes.filter((write) => write.channel === channel),
      ),
    ),
  );
  const seed = path.map(holds).find((value) => value !== undefined);
  return { writes: steps.flat(), ...(seed && { seed: await decode(serde, seed.value) }) };
}

/** In the order in which LangGraph applies them. */
async function toPendingWrites(serde: Serializer, writes: StoredWrite[]): Promise<CheckpointPendingWrite[]> {
  return await Promise.all(
    writes
      .toSorted((a, b) => compare(a.taskPath, b.taskPath) || compare(a.taskId, b.taskId) || a.idx - b.idx)
      .map(async ({ taskId, channel, value }): Promise<CheckpointPendingWrite> => {
        return [taskId, channel, await decode(serde, value)];
      }),
  );
}

/** By code point, as LangGraph compares them: the order of UTF-8 bytes. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Formats before 4 kept the tasks that a checkpoint sends beside its parent; now they are a channel of its own. */
function withSends(checkpoint: Checkpoint, sends: CheckpointPendingWrite[]): Checkpoint {
  const versions = Object.values(checkpoint.channel_versions);
  return {
    ...checkpoint,
    channel_values: { ...checkpoint.channel_values, [TASKS]: sends.map(([, , value]) => value) },
    channel_versions: { ...checkpoint.channel_versions, [TASKS]: versions.reduce(later, versions[0] ?? 1) },
  };
}

function later(a: string | number, b: string | number): string | number {
  const isLater = typeof a === "number" && typeof b === "number" ? b > a : String(b).localeCompare(String(a)) > 0;
  return isLater ? b : a;
}
