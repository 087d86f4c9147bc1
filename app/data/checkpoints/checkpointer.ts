/**
 * LangGraph's checkpoint saver, on the store. A user's project has its own copy of `@langchain/langgraph`, so the class
 * is made from the base class and the serializer of that copy: they know that copy's messages and snapshots, what a later
 * release adds to the base class is inherited, and no second copy is loaded (34 MB of a role's memory).
 */
import type { BaseCheckpointSaver, CheckpointTuple, DeltaChannelHistory } from "@langchain/langgraph-checkpoint";
import { type Configurable, checkpointIdOf, configOf, placeOf } from "./address.js";
import { writerOf } from "./author.js";
import type { Serializer } from "./cells.js";
import { withMetadataOfRun } from "./metadata.js";
import { CheckpointStore, type CheckpointStoreDeps } from "./store.js";
import type { Ancestor, Place, StoredCheckpoint } from "./stored.js";
import { changedSince, toHistory, toStep, toTuple, toWrites } from "./tuples.js";

export { FencedError, whileUnchanged, writtenBy } from "./author.js";
export type { NewestCheckpoint } from "./stored.js";

/** What a saver takes from the copy of LangGraph whose graphs it serves. */
export interface LangGraphCopy {
  BaseCheckpointSaver: typeof BaseCheckpointSaver;
  serializer: Serializer;
}

/** A saver for LangGraph, and what a worker asks when it takes a run over. */
export type Checkpointer = BaseCheckpointSaver & Pick<CheckpointStore, "newest" | "takeBack">;

type Config = Parameters<BaseCheckpointSaver["getTuple"]>[0];
type List = Parameters<BaseCheckpointSaver["list"]>;
type Put = Parameters<BaseCheckpointSaver["put"]>;
type PutWrites = Parameters<BaseCheckpointSaver["putWrites"]>;
type History = Parameters<BaseCheckpointSaver["getDeltaChannelHistory"]>;

/**
 * A saver. Its writes carry the identity that `writtenBy` or `whileUnchanged` put into `config.configurable`, and are refused
 * with FencedError or RunRefused.
 */
export function createCheckpointer(langgraph: LangGraphCopy, deps: CheckpointStoreDeps): Checkpointer {
  return checkpointerOn(langgraph, new CheckpointStore(deps));
}

export function checkpointerOn(langgraph: LangGraphCopy, store: CheckpointStore): Checkpointer {
  class RedisCheckpointer extends langgraph.BaseCheckpointSaver implements Checkpointer {
    async getTuple({ configurable = {} }: Config): Promise<CheckpointTuple | undefined> {
      if (!configurable.thread_id) return undefined;
      const place = placeOf(configurable);
      const stored = await store.get(place, checkpointIdOf(configurable));
      return stored && toTuple(this.serde, place, stored, configurable);
    }

    /** Newest first in a namespace; without one, namespace by namespace; without a thread, thread by thread. */
    async *list(...[{ configurable = {} }, options = {}]: List): AsyncGenerator<CheckpointTuple> {
      const { limit = Number.POSITIVE_INFINITY, filter = {} } = options;
      if (limit <= 0) return;
      let room = limit;
      const before = checkpointIdOf(options.before?.configurable ?? {});
      const pageSize = Object.keys(filter).length === 0 ? limit : Number.POSITIVE_INFINITY;
      for await (const [place, stored] of selected(store, configurable, before, pageSize)) {
        const tuple = await toTuple(this.serde, place, stored, configurable);
        if (!matches(tuple.metadata, filter)) continue;
        yield tuple;
        if (--room === 0) return;
      }
    }

    async put(...[config, checkpoint, own, newVersions]: Put): Promise<Config> {
      const { configurable = {} } = config;
      const metadata = withMetadataOfRun(config, own);
      const place = { ...placeOf(configurable), parentId: checkpointIdOf(configurable) };
      const writer = writerOf(configurable);
      const isChanged = changedSince(place.parentId, checkpoint, metadata, newVersions);
      const step = await toStep(this.serde, place, checkpoint, metadata, isChanged);
      if (!(await store.put(step, writer)))
        await store.put(await toStep(this.serde, place, checkpoint, metadata, () => true), writer);
      return configOf(place, checkpoint.id, configurable);
    }

    async putWrites(...[{ configurable = {} }, writes, taskId, path = ""]: PutWrites): Promise<void> {
      const place = placeOf(configurable);
      const checkpointId = checkpointIdOf(configurable);
      if (!checkpointId) throw new TypeError("writes stand beside a checkpoint: configurable.checkpoint_id is missing");
      const task = { id: taskId, path, writes: await toWrites(this.serde, writes) };
      await store.putWrites(place, checkpointId, task, writerOf(configurable));
    }

    async deleteThread(threadId: string): Promise<void> {
      await store.deleteThread(threadId);
    }

    /** The base class asks for one ancestor after the other, whole. */
    override async getDeltaChannelHistory(
      ...[{ config, channels }]: History
    ): Promise<Record<string, DeltaChannelHistory>> {
      const { configurable = {} } = config;
      const ancestors: Ancestor[] = [];
      if (configurable.thread_id && channels.length > 0)
        for await (const ancestor of store.ancestors(placeOf(configurable), checkpointIdOf(configurable), channels))
          ancestors.push(ancestor);
      const histories = channels.map(async (channel) => [channel, await toHistory(this.serde, ancestors, channel)]);
      return Object.fromEntries(await Promise.all(histories));
    }

    newest = store.newest.bind(store);
    takeBack = store.takeBack.bind(store);
  }

  return new RedisCheckpointer(langgraph.serializer);
}

/** The checkpoints that a configuration of `list` names: the fewer of its keys it has, the more. */
async function* selected(
  store: CheckpointStore,
  configurable: Configurable,
  before: string | undefined,
  pageSize: number,
): AsyncGenerator<[Place, StoredCheckpoint]> {
  const id = checkpointIdOf(configurable);
  for await (const place of places(store, configurable)) {
    if (!id) for await (const stored of store.list(place, before, pageSize)) yield [place, stored];
    const stored = id && (await store.get(place, id));
    if (stored) yield [place, stored];
  }
}

async function* places(store: CheckpointStore, configurable: Configurable): AsyncGenerator<Place> {
  const { thread_id: thread, checkpoint_ns: ns } = configurable;
  if (thread !== undefined && ns !== undefined) return yield placeOf(configurable);
  const threads = thread === undefined ? store.threads() : [placeOf(configurable).threadId];
  for await (const threadId of threads) {
    const namespaces =
      ns === undefined ? store.namespaces(threadId) : [placeOf({ thread_id: threadId, checkpoint_ns: ns }).ns];
    for await (const each of namespaces) yield { threadId, ns: each };
  }
}

function matches(metadata: object | undefined, filter: Record<string, unknown>): boolean {
  const held = new Map(Object.entries(metadata ?? {}));
  return Object.entries(filter).every(([name, value]) => held.get(name) === value);
}
