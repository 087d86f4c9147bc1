/** What the roles of the local topology are started with: the user's environment, and what only this start knows. */
import { join } from "node:path";
import type { Role } from "./instance.js";
import type { Replicas } from "./stackFile.js";

/** Long enough for a superstep to end, short enough for one who waits at a terminal. */
const DRAIN_SECONDS = "5";

const redisNames = ["REDIS_URL", "REDIS_URI", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_CA_FILE", "REDIS_CLUSTER"];

/** Whether the user named a Redis (REDIS_URI is what LangGraph images call it). */
export function namesRedis(environment: NodeJS.ProcessEnv): boolean {
  return Boolean(environment.REDIS_URL || environment.REDIS_URI);
}

/**
 * The environment of all roles. What the user set wins over the stack file; a login without an address was meant for
 * another Redis than ours.
 */
export function sharedEnvironment(environment: NodeJS.ProcessEnv, replicas: Replicas): NodeJS.ProcessEnv {
  const shared: NodeJS.ProcessEnv = { ...environment };
  shared.DRAIN_SECONDS ||= DRAIN_SECONDS;
  // The log is the developer's own terminal.
  shared.LOG_ERROR_MESSAGES ||= "true";
  if (!shared.N_JOBS_PER_WORKER) shared.RUNS_PER_WORKER ||= String(replicas.runsPerWorker);
  if (!namesRedis(environment)) for (const name of redisNames) delete shared[name];
  // Each takes a free port and tells which.
  return { ...shared, PORT: "0", HEALTH_PORT: "0" };
}

/** @param app the folder of the build */
export function localRoles(app: string, environment: NodeJS.ProcessEnv, replicas: Replicas): Role[] {
  const roles = (role: "server" | "worker", count: number) =>
    Array.from({ length: count }, (_, at): Role => {
      const name = `${role}-${at + 1}`;
      return { name, args: [join(app, "main.js"), role], environment: { ...environment, INSTANCE_NAME: name } };
    });
  return [...roles("server", replicas.servers), ...roles("worker", replicas.workers)];
}
