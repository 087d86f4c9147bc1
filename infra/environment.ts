/**
 * Names of the app's environment that the blueprint writes itself. The app's `settings.ts` is where they are understood;
 * a stack's own `environment` and `secrets` may hold any other name.
 */

/** Ports inside the tasks. */
export const serverPort = 8000;
export const healthPort = 8001;

/** Set for both roles or one of them by the components. */
export const ownNames = [
  "API_KEY_HASHES",
  "DRAIN_SECONDS",
  "HEALTH_PORT",
  "HEARTBEAT_MS",
  "HTTP_KEEP_ALIVE_TIMEOUT_MS",
  "KEY_PREFIX",
  "LEASE_MS",
  "PORT",
  "PROTECT_MINUTES",
  "REDIS_CLUSTER",
  "REDIS_PASSWORD",
  "REDIS_URL",
  "REDIS_USERNAME",
  "RUNS_PER_WORKER",
  "SSE_HEARTBEAT_MS",
  "STACK_NAME",
  "SWEEP_MS",
  "TSX_DISABLE_CACHE",
] as const;

export type OwnName = (typeof ownNames)[number];

/**
 * What a stack may not set: our own names, the other names of the same things, what ECS and Node.js set or obey, what would
 * open the API or write conversations into logs, and the one name that an object can't hold.
 */
const reserved: ReadonlySet<string> = new Set([
  ...ownNames,
  "ALLOW_ANONYMOUS",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "ECS_AGENT_URI",
  "ECS_CONTAINER_METADATA_URI",
  "ECS_CONTAINER_METADATA_URI_V4",
  "HOME",
  "HOSTNAME",
  "INSTANCE_NAME",
  "LANGGRAPH_CONFIG_FILE",
  "LD_LIBRARY_PATH",
  "LD_PRELOAD",
  "LOG_ERROR_MESSAGES",
  "NODE_OPTIONS",
  "NODE_PATH",
  "N_JOBS_PER_WORKER",
  "PATH",
  "REDIS_CA_FILE",
  "REDIS_URI",
  "TRUNCATE_ROUTE",
  "__proto__",
]);

export function isReserved(name: string): boolean {
  return reserved.has(name);
}

/** Names that by custom hold a secret: their values belong into `secrets`, never into a task definition. */
export function looksSecret(name: string): boolean {
  return /((^|_)(KEY|KEYS|TOKEN|SECRET|SECRETS|PASSPHRASE|CREDENTIALS|DSN|PAT)|PASSWORD|PASSWD|PWD|APIKEY|ACCESS_KEY_ID)$/i.test(
    name,
  );
}

/** Whether a value is, or holds, an address with a user and a password. @example "postgres://app:hunter2@db:5432" */
export function holdsPassword(value: string): boolean {
  return /:\/\/[^\s/:@]*:[^\s/@]+@/.test(value);
}

export const environmentName = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
