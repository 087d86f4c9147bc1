/** Servers and workers of the compiled build behind the load balancer of `npm start`: processes that can be hurt. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createLoadBalancer } from "../../app/local/loadBalancer.js";
import type { TcpProxy } from "../support/tcpProxy.js";
import type { RedisForm } from "./forms.js";
import type { History, Life } from "./history.js";

export interface Instance {
  name: string;
  role: "server" | "worker";
  child: ChildProcess;
  proxy: TcpProxy;
  life: Life;
  exited: Promise<unknown>;
  detach: () => Promise<void>;
}

export interface ChaosTopology {
  url: string;
  /** Those that live and were not told to stop. */
  instances(role: Instance["role"]): Instance[];
  /** Sends a signal that ends it; another of its role is started at once. Resolves when that one serves. */
  replace(instance: Instance, signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  stop(): Promise<void>;
}

export interface TopologyOptions {
  /** The folder of the build. */
  app: string;
  form: RedisForm;
  history: History;
  /** For the logs of all instances. */
  folder: string;
  servers: number;
  workers: number;
}

const config = fileURLToPath(new URL("graphs/langgraph.json", import.meta.url));

export async function startTopology(options: TopologyOptions): Promise<ChaosTopology> {
  const { form, history } = options;
  const living = new Set<Instance>();
  const all = new Set<Instance>();
  const started = { server: 0, worker: 0 };
  const balancer = createLoadBalancer(() => {});
  const logs = createWriteStream(join(options.folder, "instances.log"), { flags: "a" });
  const environment = {
    LANGGRAPH_CONFIG_FILE: config,
    LEASE_MS: String(history.leaseMs),
    HEARTBEAT_MS: String(history.heartbeatMs),
    SWEEP_MS: "500",
    MAX_FAILURES: String(history.maxFailures),
    RUNS_PER_WORKER: String(history.slots),
    DRAIN_SECONDS: "3",
    SSE_HEARTBEAT_MS: "1000",
    PORT: "0",
    HEALTH_PORT: "0",
  };

  const start = async (role: Instance["role"]): Promise<void> => {
    const name = `${role}-${++started[role]}`;
    const { environment: redis, proxy, detach } = await form.attach();
    const child = fork(join(options.app, "main.js"), [role], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment, ...redis, INSTANCE_NAME: name },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
    });
    const exited = once(child, "exit");
    let last = "";
    for (const output of [child.stdout, child.stderr])
      if (output)
        createInterface({ input: output }).on("line", (line) => {
          last = line;
          logs.write(`${line}\n`);
          noteUnconfirmed(line, history);
        });
    const life: Life = { name, role, from: Date.now() };
    const instance: Instance = { name, role, child, proxy, life, exited, detach };
    all.add(instance);
    void exited.then(() => {
      life.until = Date.now();
      living.delete(instance);
      balancer.removeTarget(name);
    });
    const first = await Promise.race([once(child, "message"), exited.then(() => undefined)]);
    if (!first) {
      await detach();
      // Redis may be away right now: a supervisor would start another one as well.
      if (stopping || started[role] > MOST_STARTS) throw new Error(`${name} ended before it was ready: ${last}`);
      return await start(role);
    }
    life.from = Date.now();
    living.add(instance);
    history.lives.push(life);
    if (role === "server") balancer.addTarget(name, (first[0] as { port: number }).port);
  };

  let stopping = false;
  const initial = [
    ...Array.from({ length: options.servers }, () => "server" as const),
    ...Array.from({ length: options.workers }, () => "worker" as const),
  ];
  for (const role of initial) await start(role);
  return {
    url: `http://127.0.0.1:${await balancer.listen(0)}`,
    instances: (role) => [...living].filter((instance) => instance.role === role),
    async replace(instance, signal) {
      living.delete(instance);
      if (signal === "SIGKILL") instance.life.until = Date.now();
      instance.child.kill(signal);
      void instance.exited.then(() => instance.detach());
      await start(instance.role);
    },
    async stop() {
      stopping = true;
      await balancer.close();
      for (const { child } of all) child.kill("SIGKILL");
      await Promise.all([...all].map(({ exited }) => exited));
      for (const { detach } of all) await detach();
      logs.end();
    },
  };
}

const MOST_STARTS = 200;

/** What a process could not confirm, a failover may lose. */
function noteUnconfirmed(line: string, history: History): void {
  if (!line.includes('"unconfirmed_writes"')) return;
  const { runs } = JSON.parse(line) as { runs: string[] };
  history.unconfirmed.push({ at: Date.now(), runs });
}
