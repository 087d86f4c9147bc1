/**
 * Servers and workers as real processes of the compiled build, behind the real load balancer, over a Redis of their own.
 * Leases, beats and sweeps are scaled down.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Client } from "@langchain/langgraph-sdk";
import { createLoadBalancer, type LoadBalancer } from "../../app/local/loadBalancer.js";
import { asApp } from "./acl.js";
import { builtApp } from "./build.js";
import { startRedis } from "./redis.js";

export interface Instance {
  name: string;
  port: number;
  url: string;
  /** The official SDK against this instance, past the load balancer. */
  client: Client;
  process: ChildProcess;
  /** What it wrote to standard output so far. */
  log(): string;
  /** Sends the signal and waits for the exit. @returns the exit code, or the signal that ended it */
  end(signal: NodeJS.Signals): Promise<number | string>;
}

export interface Topology {
  redis: { url: string; stop(): Promise<void> };
  servers: Instance[];
  workers: Instance[];
  balancer: LoadBalancer;
  /** Of the load balancer. */
  url: string;
  client: Client;
  /** @param build the folder of another build than the one that all tests share */
  startServer(environment?: Record<string, string>, build?: string): Promise<Instance>;
  startWorker(environment?: Record<string, string>, build?: string): Promise<Instance>;
  stop(): Promise<void>;
}

export interface TopologyOptions {
  servers?: number;
  workers?: number;
  /** A langgraph.json; the bundled agents without one. */
  config?: string;
  /** The folder of the build; the one that all tests of a run share without it. */
  build?: string;
  environment?: Record<string, string>;
  /** The Redis to use, and to stop at the end; one of its own without it. */
  redis?: { url: string; stop(): Promise<void> };
}

export async function topology(options: TopologyOptions = {}): Promise<Topology> {
  const redis = options.redis ?? (await startRedis());
  const { build: shared = builtApp() } = options;
  const servers: Instance[] = [];
  const workers: Instance[] = [];
  const environment = {
    REDIS_URL: await asApp(redis.url),
    LANGGRAPH_CONFIG_FILE: options.config ?? join(shared, "agents", "langgraph.json"),
    LEASE_MS: "1500",
    HEARTBEAT_MS: "500",
    SWEEP_MS: "250",
    DRAIN_SECONDS: "5",
    PORT: "0",
    HEALTH_PORT: "0",
    ...options.environment,
  };
  const begun = { server: 0, worker: 0 };
  const start = (role: "server" | "worker", more: Record<string, string> = {}, build = shared) =>
    startInstance(role, `${role}-${++begun[role]}`, { ...environment, ...more }, build);
  const startServer = async (more?: Record<string, string>, build?: string) => {
    const instance = await start("server", more, build);
    servers.push(instance);
    return instance;
  };
  const startWorker = async (more?: Record<string, string>, build?: string) => {
    const instance = await start("worker", more, build);
    workers.push(instance);
    return instance;
  };

  const ofRole = (role: "server" | "worker", count = 1) =>
    Promise.all(Array.from({ length: count }, () => start(role)));
  const first = await Promise.all([ofRole("server", options.servers), ofRole("worker", options.workers)]);
  servers.push(...first[0]);
  workers.push(...first[1]);
  const balancer = createLoadBalancer(() => {});
  for (const { name, port } of servers) balancer.addTarget(name, port);
  const url = `http://127.0.0.1:${await balancer.listen(0)}`;

  return {
    redis,
    servers,
    workers,
    balancer,
    url,
    client: new Client({ apiUrl: url }),
    startServer,
    startWorker,
    async stop() {
      await balancer.close();
      await Promise.all([...servers, ...workers].map((instance) => instance.end("SIGKILL")));
      await redis.stop();
    },
  };
}

async function startInstance(
  role: "server" | "worker",
  name: string,
  environment: Record<string, string>,
  build: string,
): Promise<Instance> {
  const child = fork(join(build, "main.js"), [role], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment, INSTANCE_NAME: name },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [],
  });
  let output = "";
  let errors = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  // Not at its exit: what it wrote last may still be on its way.
  const exited = once(child, "close");
  const first = await Promise.race([once(child, "message"), exited.then(() => undefined)]);
  if (!first) throw new Error(`${name} ended before it was ready: ${errors}${output}`);
  const { port } = first[0] as { port: number };
  const url = `http://127.0.0.1:${port}`;
  return {
    name,
    port,
    url,
    client: new Client({ apiUrl: url }),
    process: child,
    log: () => output,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
      return child.exitCode ?? child.signalCode ?? "";
    },
  };
}
