/**
 * The container of a task: no root, nothing to write to but a small /tmp, nothing secret in plain sight. Its environment
 * is the contract with the app's settings.
 */
import type { Input } from "@pulumi/pulumi";
import type { OwnName } from "../environment.js";
import type { Timing } from "../timing.js";
import type { Image } from "./image.js";
import type { RedisConnection } from "./redis.js";
import type { SecretReference } from "./secretValue.js";

export interface ContainerArgs {
  stack: string;
  region: string;
  image: Image;
  redis: RedisConnection;
  timing: Timing;
  /** Plain environment of the agents. */
  environment: Record<string, string>;
}

export interface ContainerRole {
  /** The image's argument. */
  command: "server" | "worker";
  /** Answers `GET /ok`. */
  port: number;
  environment: Partial<Record<OwnName, Input<string>>>;
}

/** The definition as ECS takes it, in JSON. @param secrets by name in the environment */
export function containerDefinition(
  name: string,
  args: ContainerArgs,
  role: ContainerRole,
  secrets: Record<string, SecretReference>,
  logGroup: Input<string>,
) {
  return {
    name,
    image: args.image.uri,
    command: [role.command],
    essential: true,
    user: "65534:65534",
    readonlyRootFilesystem: true,
    stopTimeout: args.timing.stopSeconds,
    portMappings: [{ containerPort: role.port, protocol: "tcp" }],
    linuxParameters: {
      initProcessEnabled: true,
      capabilities: { drop: ["ALL"] },
      tmpfs: [{ containerPath: "/tmp", size: 64, mountOptions: ["rw", "noexec", "nosuid", "nodev"] }],
    },
    healthCheck: {
      command: ["CMD", "node", "-e", healthScript(role.port)],
      interval: 15,
      timeout: 5,
      retries: 3,
      startPeriod: 60,
    },
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": logGroup,
        "awslogs-region": args.region,
        "awslogs-stream-prefix": role.command,
        // When CloudWatch is slow, lines are lost rather than requests held up.
        mode: "non-blocking",
        "max-buffer-size": "16m",
      },
    },
    environment: environment(args, role),
    secrets: Object.entries(secrets).map(([variable, { valueFrom }]) => ({ name: variable, valueFrom })),
  };
}

function environment({ stack, redis, timing, environment: agents }: ContainerArgs, role: ContainerRole) {
  const own: Partial<Record<OwnName, Input<string>>> = {
    REDIS_URL: redis.url,
    ...(redis.username === undefined ? {} : { REDIS_USERNAME: redis.username }),
    REDIS_CLUSTER: String(redis.cluster),
    KEY_PREFIX: redis.keyPrefix,
    STACK_NAME: stack,
    DRAIN_SECONDS: String(timing.drainSeconds),
    LEASE_MS: String(timing.leaseMs),
    HEARTBEAT_MS: String(timing.heartbeatMs),
    SWEEP_MS: String(timing.sweepMs),
    // tsx keeps compiled files in a folder that a read-only container doesn't have.
    TSX_DISABLE_CACHE: "1",
    ...role.environment,
  };
  return Object.entries({ ...agents, ...own })
    .map(([name, value]) => ({ name, value }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Ends with 0 where the process answers 200: the same question that the load balancer asks. */
function healthScript(port: number): string {
  return `fetch("http://127.0.0.1:${port}/ok").then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;
}
