/**
 * What a graph streams, as clients get it. `debug`, `checkpoints` and `tasks` chunks carry configurations of the running
 * graph, with its functions, streams and checkpointer: they become checkpoints' identities, and names become the API's.
 * `messages` and `events` carry metadata, into which LangGraph copies what `configurable` holds. Other modes are as they are.
 */
import type { GraphConfig } from "./graph.js";
import { isSnapshot, publicMetadata, toCheckpoint, toThreadState } from "./state.js";

/** @param mode of `graph.stream`, or `events` @param data the chunk of that mode; it is not changed */
export function toEventData(mode: string, data: unknown): unknown {
  if (mode === "messages" && Array.isArray(data)) return [data[0], publicRecord(data[1])];
  if (!isRecord(data)) return data;
  if (mode === "events") return { ...data, metadata: publicRecord(data.metadata) };
  if (mode === "checkpoints") return checkpointData(data);
  if (mode === "tasks") return taskData(data);
  if (mode === "debug" && isRecord(data.payload)) return { ...data, payload: debugPayload(data.type, data.payload) };
  return data;
}

function debugPayload(type: unknown, payload: Record<string, unknown>): unknown {
  return type === "checkpoint" ? checkpointData(payload) : taskData(payload);
}

function checkpointData(data: Record<string, unknown>): unknown {
  const { config, parentConfig, tasks, metadata, ...others } = data;
  return {
    ...others,
    metadata: publicRecord(metadata),
    config: publicConfig(config),
    parent_config: publicConfig(parentConfig),
    checkpoint: toCheckpoint(asConfig(config)),
    parent_checkpoint: toCheckpoint(asConfig(parentConfig)),
    tasks: Array.isArray(tasks) ? tasks.map((task) => (isRecord(task) ? taskData(task) : task)) : [],
  };
}

/** A subgraph's task has a `state`: where that is a configuration, the checkpoint says it. */
function taskData(task: Record<string, unknown>): unknown {
  const { state, metadata, ...others } = task;
  const named = metadata === undefined ? others : { ...others, metadata: publicRecord(metadata) };
  if (state === undefined) return named;
  return isSnapshot(state)
    ? { ...named, state: toThreadState(state) }
    : { ...named, checkpoint: toCheckpoint(asConfig(state)) };
}

function publicConfig(config: unknown): unknown {
  if (!isRecord(config)) return null;
  const { configurable, metadata, tags, recursion_limit } = config;
  return { configurable: publicRecord(configurable), metadata: publicRecord(metadata), tags, recursion_limit };
}

function publicRecord(value: unknown): unknown {
  return isRecord(value) ? publicMetadata(value) : value;
}

function asConfig(value: unknown): GraphConfig | undefined {
  return isRecord(value) ? value : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
