/** The two that are compared: LangChain's development server, and a server and a worker of ours. The same graphs in both. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { asApp } from "../../support/acl.js";
import { startRedis } from "../../support/redis.js";

export interface Sides {
  developmentUrl: string;
  ourUrl: string;
  /** Ends all processes and removes what they left. */
  stop(): Promise<void>;
}

const CONFIG = fileURLToPath(new URL("graphs/langgraph.json", import.meta.url));

/** @param app the folder of our build */
export async function startSides(app: string): Promise<Sides> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const step of stops.toReversed()) await step();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "development-server-"));
    stops.push(() => rm(folder, { recursive: true, force: true }));
    const redis = await startRedis();
    stops.push(() => redis.stop());
    const environment = {
      REDIS_URL: await asApp(redis.url),
      LANGGRAPH_CONFIG_FILE: CONFIG,
      PORT: "0",
      HEALTH_PORT: "0",
      TRUNCATE_ROUTE: "true",
      // So that no run of a scenario waits for a slot.
      RUNS_PER_WORKER: "40",
    };
    const begin = async (path: string, args: string[], more: Partial<Started>) => {
      const child = start({ path, args, environment: {}, execArgv: [], ...more });
      stops.push(child.end);
      return await child.ready;
    };
    const [development, server] = await Promise.all([
      begin(join(import.meta.dirname, "developmentServer.ts"), [folder, JSON.stringify(await graphs())], {
        execArgv: ["--import", "tsx"],
      }),
      begin(join(app, "main.js"), ["server"], { environment: { ...environment, INSTANCE_NAME: "server" } }),
      begin(join(app, "main.js"), ["worker"], { environment: { ...environment, INSTANCE_NAME: "worker" } }),
    ]);
    return { developmentUrl: String(development.url), ourUrl: `http://127.0.0.1:${server.port}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Graph id → path and export, the path from the root of the disk. */
async function graphs(): Promise<Record<string, string>> {
  const { graphs } = JSON.parse(await readFile(CONFIG, "utf8")) as { graphs: Record<string, string> };
  return Object.fromEntries(Object.entries(graphs).map(([id, path]) => [id, resolve(dirname(CONFIG), path)]));
}

interface Started {
  path: string;
  args: string[];
  environment: Record<string, string>;
  execArgv: string[];
}

interface Child {
  /** What it says when it serves. */
  ready: Promise<Record<string, unknown>>;
  end(): Promise<unknown>;
}

/** No key of the one who runs this gets in, so nothing is traced. */
function start({ path, args, environment, execArgv }: Started): Child {
  const child = fork(path, args, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv,
  });
  const exited = once(child, "close");
  return {
    ready: readyOf(child, exited, path),
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}

async function readyOf(child: ChildProcess, exited: Promise<unknown>, path: string): Promise<Record<string, unknown>> {
  let output = "";
  const keep = (chunk: Buffer) => {
    output = `${output}${chunk}`.slice(-4_000);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  const first = await Promise.race([once(child, "message"), exited.then(() => undefined)]);
  if (!first) throw new Error(`${path} ended before it was ready: ${output}`);
  return first[0] as Record<string, unknown>;
}
