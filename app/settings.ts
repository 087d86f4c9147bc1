/**
 * The environment of both roles, parsed once into typed settings. This is the one contract with `infra`, which writes
 * these names into its task definitions. Durations carry their unit in the name.
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { z } from "zod";

/** Wrong configuration: the message names the variable and says what is allowed. The process ends with exit code 2. */
export class SettingsError extends Error {
  override name = "SettingsError";
}

const text = z.string().trim().min(1);
const count = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));
/** Durations of seconds that may be scaled down to a part of one. */
const seconds = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, "must be a number of seconds")
    .transform(Number)
    .pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));
const flag = z.enum(["true", "false"], "must be true or false").transform((value) => value === "true");
const list = z.string().transform((value) =>
  value
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean),
);

/** As LangGraph's images name them. */
const LEVEL_NAMES: Record<string, string> = { warning: "warn", critical: "error", fatal: "error" };
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;

const Environment = z.object({
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: "must be a redis:// or rediss:// address" }),
  REDIS_USERNAME: text.optional(),
  REDIS_PASSWORD: text.optional(),
  REDIS_CA_FILE: text.optional(),
  REDIS_CLUSTER: flag.default(false),
  PORT: count(0, 65535).default(8000),
  HEALTH_PORT: count(0, 65535).default(8001),
  RUNS_PER_WORKER: count(1, 1000).default(10),
  LEASE_MS: count(200, 600_000).default(30_000),
  HEARTBEAT_MS: count(50, 300_000).default(10_000),
  SWEEP_MS: count(50, 300_000).default(5_000),
  MAX_FAILURES: count(1, 100).default(3),
  RUN_TIMEOUT_SECONDS: count(1, 604_800).default(86_400),
  DRAIN_SECONDS: count(0, 3600).default(100),
  BLOCKED_LOOP_SECONDS: seconds(1, 3600).default(60),
  ABANDONED_NODE_SECONDS: seconds(0.1, 3600).default(60),
  OUTAGE_SECONDS: seconds(0.5, 86_400).default(90),
  PROTECT_MINUTES: count(1, 2880).default(30),
  ECS_AGENT_URI: text.optional(),
  ECS_CONTAINER_METADATA_URI_V4: text.optional(),
  STACK_NAME: text.default("local"),
  LOG_ERROR_MESSAGES: flag.default(false),
  SSE_HEARTBEAT_MS: count(100, 60_000).default(5_000),
  HTTP_KEEP_ALIVE_TIMEOUT_MS: count(1_000, 4_100_000).default(605_000),
  MAX_BODY_BYTES: count(1_024, 512 * 1024 * 1024).default(8 * 1024 * 1024),
  MAX_JSON_DEPTH: count(10, 1_000).default(200),
  MAX_JSON_VALUES: count(1_000, 100_000_000).default(1_000_000),
  MAX_HEADER_BYTES: count(4_096, 1024 * 1024).default(16 * 1024),
  MAX_URL_BYTES: count(512, 1024 * 1024).default(8 * 1024),
  MAX_PAGE_SIZE: count(1, 1_000).default(1_000),
  MAX_STREAMS_PER_CLIENT: count(1, 1_000_000).default(10_000),
  MAX_OPEN_REQUESTS: count(10, 1_000_000).default(20_000),
  API_KEY_HASHES: list
    .pipe(z.array(z.string().regex(/^[0-9a-f]{64}$/i, "must be SHA-256 hashes in hex, separated by commas")))
    .default([]),
  ALLOW_ANONYMOUS: flag.default(false),
  CORS_ALLOW_ORIGINS: list.default([]),
  MOUNT_PREFIX: z
    .string()
    .regex(/^\/$|^(\/[\w.~-]+)+\/?$/, "must be a path such as /api")
    .transform((path) => path.replace(/\/$/, ""))
    .optional(),
  WEBHOOK_PRIVATE_HOSTS: list.transform((hosts) => hosts.map((host) => host.toLowerCase())).default([]),
  WEBHOOK_TIMEOUT_SECONDS: seconds(0.1, 600).default(30),
  TRUNCATE_ROUTE: flag.default(false),
  KEY_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, "must be 1 to 32 letters, digits, dashes or underscores")
    .default("sw"),
  LANGGRAPH_CONFIG_FILE: text.default("langgraph.json"),
  INSTANCE_NAME: text.default(hostname()),
  LOG_LEVEL: z
    .string()
    .transform((level) => LEVEL_NAMES[level.toLowerCase()] ?? level.toLowerCase())
    .pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`))
    .default("info"),
  SERVED_BY_HEADER: flag.default(true),
});

/** Names that LangGraph images use for the same thing; ours wins when both are set. */
const aliases: Record<string, keyof z.input<typeof Environment>> = {
  REDIS_URI: "REDIS_URL",
  N_JOBS_PER_WORKER: "RUNS_PER_WORKER",
  BG_JOB_MAX_RETRIES: "MAX_FAILURES",
};

export type Settings = ReturnType<typeof readSettings>;

/**
 * Reads the environment. An empty variable counts as not set.
 * @throws SettingsError that names the variable, never its value (it may be a secret).
 */
export function readSettings(environment: Record<string, string | undefined>) {
  const given: Record<string, string> = {};
  for (const [alias, name] of Object.entries(aliases)) {
    const value = environment[alias];
    if (value) given[name] = value;
  }
  for (const name of Object.keys(Environment.shape)) {
    const value = environment[name];
    if (value) given[name] = value;
  }
  const parsed = Environment.safeParse(given);
  if (!parsed.success) throw new SettingsError(parsed.error.issues.map(sentence).join("\n"));
  const value = parsed.data;
  if (value.LEASE_MS <= 2 * value.HEARTBEAT_MS)
    throw new SettingsError("LEASE_MS must be more than twice HEARTBEAT_MS, so that one lost heartbeat loses no run");
  if (value.MAX_URL_BYTES > value.MAX_HEADER_BYTES)
    throw new SettingsError("MAX_URL_BYTES must be at most MAX_HEADER_BYTES, which counts the address as well");

  return {
    redis: {
      url: value.REDIS_URL,
      username: value.REDIS_USERNAME,
      password: value.REDIS_PASSWORD,
      ca: value.REDIS_CA_FILE === undefined ? undefined : readCa(value.REDIS_CA_FILE),
      cluster: value.REDIS_CLUSTER,
      keyPrefix: value.KEY_PREFIX,
    },
    port: value.PORT,
    healthPort: value.HEALTH_PORT,
    runsPerWorker: value.RUNS_PER_WORKER,
    leaseMs: value.LEASE_MS,
    heartbeatMs: value.HEARTBEAT_MS,
    sweepMs: value.SWEEP_MS,
    maxFailures: value.MAX_FAILURES,
    runTimeoutSeconds: value.RUN_TIMEOUT_SECONDS,
    drainSeconds: value.DRAIN_SECONDS,
    blockedLoopSeconds: value.BLOCKED_LOOP_SECONDS,
    abandonedNodeSeconds: value.ABANDONED_NODE_SECONDS,
    outageSeconds: value.OUTAGE_SECONDS,
    protectMinutes: value.PROTECT_MINUTES,
    ecsAgentUri: value.ECS_AGENT_URI,
    ecsMetadataUri: value.ECS_CONTAINER_METADATA_URI_V4,
    stackName: value.STACK_NAME,
    logErrorMessages: value.LOG_ERROR_MESSAGES,
    sseHeartbeatMs: value.SSE_HEARTBEAT_MS,
    httpKeepAliveTimeoutMs: value.HTTP_KEEP_ALIVE_TIMEOUT_MS,
    /** What a server takes from its clients. */
    limits: {
      maxBodyBytes: value.MAX_BODY_BYTES,
      maxJsonDepth: value.MAX_JSON_DEPTH,
      maxJsonValues: value.MAX_JSON_VALUES,
      maxHeaderBytes: value.MAX_HEADER_BYTES,
      maxUrlBytes: value.MAX_URL_BYTES,
      maxPageSize: value.MAX_PAGE_SIZE,
      maxStreamsPerClient: value.MAX_STREAMS_PER_CLIENT,
      maxOpenRequests: value.MAX_OPEN_REQUESTS,
    },
    apiKeyHashes: value.API_KEY_HASHES.map((hash) => hash.toLowerCase()),
    allowAnonymous: value.ALLOW_ANONYMOUS,
    corsAllowOrigins: value.CORS_ALLOW_ORIGINS,
    /** Above langgraph.json's. */
    mountPrefix: value.MOUNT_PREFIX,
    truncateRoute: value.TRUNCATE_ROUTE,
    webhookPrivateHosts: value.WEBHOOK_PRIVATE_HOSTS,
    webhookTimeoutSeconds: value.WEBHOOK_TIMEOUT_SECONDS,
    langgraphConfigFile: value.LANGGRAPH_CONFIG_FILE,
    instanceName: value.INSTANCE_NAME,
    logLevel: value.LOG_LEVEL,
    servedByHeader: value.SERVED_BY_HEADER,
  };
}

function sentence(issue: z.core.$ZodIssue): string {
  const name = String(issue.path[0]);
  if (issue.code === "invalid_type") return `${name} is required`;
  return `${name} ${issue.message.startsWith("must") ? issue.message : `is not valid: ${issue.message}`}`;
}

function readCa(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new SettingsError(`REDIS_CA_FILE names ${file}, which can't be read; it must be a PEM file`);
  }
}
