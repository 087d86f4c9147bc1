/**
 * Assistants: a graph with defaults, a name and metadata. Each graph has one made by the system, whose id follows from
 * the graph's. Its time of creation is kept in Redis, first writer wins, so that every server tells the same; all else
 * follows from langgraph.json, so a server answers from memory.
 */
import { isDeepStrictEqual } from "node:util";
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";

export interface Assistant {
  assistantId: string;
  graphId: string;
  name: string;
  description: string | null;
  config: { configurable?: Record<string, unknown>; [key: string]: unknown };
  context: Record<string, unknown>;
  metadata: Record<string, unknown>;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** The assistant that a graph of langgraph.json brings; its id follows from the graph's. */
export interface SystemAssistant {
  assistantId: string;
  graphId: string;
  description: string | null;
}

/** What a search or a count asks for; all that is given must match. */
export interface AssistantFilter {
  graphId?: string | undefined;
  /** A part of the name, in any case. */
  name?: string | undefined;
  /** Every key must be there with an equal value. */
  metadata?: Record<string, unknown> | undefined;
}

/** Assistants belong to no thread; they live in the first partition. */
const PARTITION = 0;

export class Assistants {
  readonly #byId: Map<string, Assistant>;
  readonly #byGraph: Map<string, Assistant>;

  constructor(assistants: readonly Assistant[]) {
    this.#byId = new Map(assistants.map((assistant) => [assistant.assistantId, assistant]));
    this.#byGraph = new Map(assistants.map((assistant) => [assistant.graphId, assistant]));
  }

  /** @param id an assistant's id, or the id of a graph for its system assistant */
  get(id: string): Assistant | undefined {
    return this.#byId.get(id.toLowerCase()) ?? this.#byGraph.get(id);
  }

  find(filter: AssistantFilter): Assistant[] {
    return [...this.#byId.values()].filter((assistant) => matches(assistant, filter));
  }
}

/** Registers the assistants of a server's graphs at its start; one round trip. @throws when Redis does not answer */
export async function registerAssistants(
  redis: Redis,
  keys: Keys,
  systems: readonly SystemAssistant[],
): Promise<Assistants> {
  const pipeline = redis.pipeline();
  const now = Date.now();
  for (const { assistantId } of systems) {
    const key = keys.in(PARTITION, "assistant", assistantId);
    pipeline.hsetnx(key, "created_at", now).hget(key, "created_at");
  }
  const answers = (await pipeline.exec()) ?? [];
  return new Assistants(
    systems.map((system, index) => {
      const [error, createdAt] = answers[2 * index + 1] ?? [new Error("no answer from Redis")];
      if (error) throw error;
      return systemAssistant(system, new Date(Number(createdAt)));
    }),
  );
}

export function systemAssistant({ assistantId, graphId, description }: SystemAssistant, createdAt: Date): Assistant {
  return {
    assistantId,
    graphId,
    name: graphId,
    description,
    config: {},
    context: {},
    metadata: { created_by: "system" },
    version: 1,
    createdAt,
    updatedAt: createdAt,
  };
}

function matches(assistant: Assistant, { graphId, name, metadata }: AssistantFilter): boolean {
  return (
    (graphId === undefined || assistant.graphId === graphId) &&
    (name === undefined || assistant.name.toLowerCase().includes(name.toLowerCase())) &&
    Object.entries(metadata ?? {}).every(([key, value]) => isDeepStrictEqual(assistant.metadata[key], value))
  );
}
