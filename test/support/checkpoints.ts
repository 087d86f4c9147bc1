/** Checkpoints as LangGraph puts them, for tests that look at what is stored, sent and refused. */
import {
  BaseCheckpointSaver,
  type Checkpoint,
  type CheckpointMetadata,
  emptyCheckpoint,
  JsonPlusSerializer,
  uuid6,
} from "@langchain/langgraph-checkpoint";
import type { LangGraphCopy } from "../../app/data/checkpoints/checkpointer.js";
import type { Core } from "./core.js";

/** The project's own copy of LangGraph. */
export const ours: LangGraphCopy = { BaseCheckpointSaver, serializer: new JsonPlusSerializer() };

export type Config = Parameters<BaseCheckpointSaver["put"]>[0];

/** A checkpoint with these channels; a number beside a value is its version, 1 without. */
export function checkpointOf(channels: Record<string, [value: unknown, version?: number]>, id = uuid6(0)): Checkpoint {
  const entries = Object.entries(channels);
  return {
    ...emptyCheckpoint(),
    id,
    channel_values: Object.fromEntries(entries.map(([name, [value]]) => [name, value])),
    channel_versions: Object.fromEntries(entries.map(([name, [, version = 1]]) => [name, version])),
  };
}

export const loop: CheckpointMetadata = { source: "loop", step: 0, parents: {} };

/** `config.configurable` of a thread's root namespace, with what else it should carry. */
export function at(threadId: string, more: Record<string, unknown> = {}): Config {
  return { configurable: { thread_id: threadId, checkpoint_ns: "", ...more } };
}

/** How often Redis was asked: scripts that ran, whatever they did inside. */
export async function roundTrips(core: Core, action: () => Promise<unknown>): Promise<number> {
  const asked = async () => {
    const stats = await core.admin.info("commandstats");
    return ["evalsha", "eval", "zrangebylex"].reduce((sum, name) => sum + callsOf(stats, name), 0);
  };
  const before = await asked();
  await action();
  return (await asked()) - before;
}

/** What Redis executed, inside scripts and out: calls by command. */
export async function commands(core: Core, action: () => Promise<unknown>): Promise<Record<string, number>> {
  await core.admin.config("RESETSTAT");
  await action();
  const stats = await core.admin.info("commandstats");
  const names = [...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name = ""]) => name);
  const counted = names.filter((name) => !/^(info|config|client|auth|hello)/.test(name));
  return Object.fromEntries(counted.map((name) => [name, callsOf(stats, name)]));
}

function callsOf(stats: string, command: string): number {
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, "m").exec(stats)?.[1] ?? 0);
}

/** Bytes that the app's connection sent and received meanwhile. */
export async function traffic(core: Core, action: () => Promise<unknown>): Promise<{ sent: number; received: number }> {
  const { redis } = core;
  if (!("stream" in redis)) throw new Error("a cluster has a connection a node");
  const { bytesWritten, bytesRead } = redis.stream;
  await action();
  const { stream } = redis;
  return { sent: stream.bytesWritten - bytesWritten, received: stream.bytesRead - bytesRead };
}
