/** What a server does with its graphs' own assistants at its start. */
import type { Redis } from "../../redis/connect.js";
import type { Keys } from "../../redis/partitions.js";
import { Assistants } from "../assistants.js";
import type { AssistantBody, AssistantRecord } from "./record.js";
import { AssistantStore } from "./store.js";
import { UnchangedSystems } from "./systems.js";
import type { AssistantThreads } from "./threads.js";

/** The assistant that a graph of langgraph.json brings; its id follows from the graph's. */
export interface SystemAssistant {
  assistantId: string;
  graphId: string;
  description: string | null;
}

export interface RegisterDeps {
  redis: Redis;
  /** Of the server; it hears there what other servers change. */
  subscriber: Redis;
  keys: Keys;
  threads: Pick<AssistantThreads, "leave">;
  sweepMs: number;
}

/** Whoever registers the same assistant at the same time goes first at most so often. */
const MOST_TRIES = 10;

/**
 * Makes the assistants of a server's graphs, unless they are there: the first writer's time of creation counts, so every
 * server tells the same.
 * @throws when Redis does not answer
 */
export async function registerAssistants(
  { redis, subscriber, keys, threads, sweepMs }: RegisterDeps,
  systems: readonly SystemAssistant[],
): Promise<{ assistants: Assistants; close(): void }> {
  const store = new AssistantStore(redis, keys);
  const byId = new Map(systems.map((system) => [system.assistantId, system]));
  const registerOne = async (assistantId: string) => await register(store, systemOf(byId, assistantId));
  const records = await Promise.all([...byId.keys()].map(registerOne));
  const unchanged = new UnchangedSystems(redis, subscriber, keys, records, registerOne, sweepMs);
  await unchanged.listen();
  const systemIds = new Map(systems.map(({ graphId, assistantId }) => [graphId, assistantId]));
  return {
    assistants: new Assistants({ store, systems: unchanged, systemIds, threads }),
    close: () => unchanged.close(),
  };
}

async function register(store: AssistantStore, system: SystemAssistant): Promise<AssistantRecord> {
  const { assistantId } = system;
  const body = systemBody(system);
  let current = await store.read(assistantId);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    // What langgraph.json says of it may have changed; what a client said of it stays.
    if (current && (!isUnchanged(current) || current.description === body.description)) return current;
    const revision = current && { revision: current.revision, version: current.version };
    const answer = await store.put({ assistantId, ...revision, body });
    if (answer.word === "put") return answer.record;
    current = answer.word === "changed" ? answer.record : undefined;
  }
  throw new Error(`assistant ${assistantId} could not be registered: others write it all the time`);
}

/** The first version is ours. */
const isUnchanged = ({ version, metadata }: AssistantRecord) => version === 1 && metadata.created_by === "system";

function systemOf(systems: ReadonlyMap<string, SystemAssistant>, assistantId: string): SystemAssistant {
  const system = systems.get(assistantId);
  if (!system) throw new Error(`no graph brings the assistant ${assistantId}`);
  return system;
}

export function systemBody({ graphId, description }: Omit<SystemAssistant, "assistantId">): AssistantBody {
  return {
    ...{ graphId, name: graphId, description },
    ...{ config: {}, context: {}, metadata: { created_by: "system" } },
  };
}
