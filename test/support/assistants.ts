/** A server's assistants, on connections of its own. */
import { vi } from "vitest";
import { registerAssistants } from "../../app/data/assistants/register.js";
import { AssistantThreads } from "../../app/data/assistants/threads.js";
import type { Assistants } from "../../app/data/assistants.js";
import { Threads } from "../../app/data/threads.js";
import { systemAssistantId } from "../../app/graphs/assistants.js";
import { connect, type Redis, type RedisLogin, ready } from "../../app/redis/connect.js";
import { coreOn, silent } from "./core.js";

export interface AssistantServer {
  redis: Redis;
  subscriber: Redis;
  core: ReturnType<typeof coreOn>;
  threads: Threads;
  assistants: Assistants;
  stop(): void;
}

export const systemsOf = (graphIds: string[]) =>
  graphIds.map((graphId) => ({ graphId, assistantId: systemAssistantId(graphId), description: `the ${graphId}` }));

/** @param login of the app's user, or the address that holds it */
export async function startAssistants(
  login: string | RedisLogin,
  graphIds = ["echo", "writer"],
): Promise<AssistantServer> {
  const to = typeof login === "string" ? { url: login } : login;
  const redis = connect(to, "request", silent);
  const subscriber = connect(to, "subscriber", silent);
  await Promise.all([redis, subscriber].map((connection) => ready(connection, 5_000)));
  const core = coreOn(redis, subscriber);
  const threads = new AssistantThreads({
    redis,
    keys: core.keys,
    runs: core.runs,
    removals: core.removals,
  });
  const registered = await registerAssistants(
    { redis, subscriber, keys: core.keys, threads, sweepMs: 60_000 },
    systemsOf(graphIds),
  );
  return {
    redis,
    subscriber,
    core,
    threads: new Threads(redis, core.keys),
    assistants: registered.assistants,
    stop() {
      registered.close();
      core.runs.close();
      for (const connection of [redis, subscriber]) connection.disconnect();
    },
  };
}

/** How often `operation` asks Redis for an assistant. */
export async function readsOf(redis: Redis, operation: () => Promise<unknown>): Promise<number> {
  const spy = vi.spyOn(redis, "hmget");
  await operation();
  const { length } = spy.mock.calls;
  spy.mockRestore();
  return length;
}
