/**
 * `npm start`: the topology of `pulumi up` on this machine, as real processes.
 *
 *   options ▸ port ▸ build ▸ Redis ▸ servers and workers ▸ all healthy ▸ ready ▸ (Ctrl-C) ▸ drain ▸ Redis last
 *
 * The port is taken first and kept, so that nothing starts for nothing and nobody takes it meanwhile; until a server is
 * healthy it answers 503.
 */
import { join, resolve } from "node:path";
import { build } from "../build.js";
import { readSettings, type Settings, SettingsError } from "../settings.js";
import { StartFailure } from "./failure.js";
import { createLoadBalancer } from "./loadBalancer.js";
import { readable } from "./logLine.js";
import { type Options, projectFile, readOptions, usage } from "./options.js";
import { Output } from "./output.js";
import { readyText } from "./ready.js";
import { checkRedis, keepRedis, type LocalRedis } from "./redis.js";
import { resolveRedisBinary } from "./redisBinary.js";
import { localRoles, namesRedis, sharedEnvironment } from "./roles.js";
import { type StopSignal, stopSignal } from "./signals.js";
import { type Replicas, readReplicas } from "./stackFile.js";
import { createSupervisor } from "./supervisor.js";

const ROOT = join(import.meta.dirname, "../..");
const REDIS_ANSWERS_WITHIN_MS = 3_000;
/** What a role may take over its drain deadline before it is killed. */
const GRACE_MS = 5_000;

/** All that is decided before anything starts. */
interface Plan {
  port: number;
  replicas: Replicas;
  /** Of all roles. */
  environment: NodeJS.ProcessEnv;
  /** As the roles will read them. */
  settings: Settings;
  /** Absolute path of the user's langgraph.json; without it the bundled agents. */
  config: string | undefined;
  /** Absolute path; nothing when the user named a Redis. */
  dataFolder: string | undefined;
}

/** @throws StartFailure 2, SettingsError */
function plan(options: Options, environment: NodeJS.ProcessEnv, here: string): Plan {
  const stack = readReplicas(ROOT, options.stack);
  const replicas = {
    ...stack,
    servers: options.servers ?? stack.servers,
    workers: options.workers ?? stack.workers,
  };
  if (options.data !== undefined && namesRedis(environment))
    throw new StartFailure(
      2,
      "--data keeps the data of the Redis that npm start runs, but REDIS_URL names another one",
    );
  const shared = sharedEnvironment(environment, replicas);
  const file = environment.LANGGRAPH_CONFIG_FILE;
  // Named by a variable, they are the user's, and their paths start where the user is.
  const graphsHere = environment.LANGSERVE_GRAPHS ? join(here, "langgraph.json") : undefined;
  return {
    port: options.port,
    replicas,
    environment: shared,
    settings: readSettings(namesRedis(environment) ? shared : { ...shared, REDIS_URL: "redis://127.0.0.1" }),
    config: options.config ?? (file ? projectFile("LANGGRAPH_CONFIG_FILE", resolve(here, file)) : graphsHere),
    dataFolder: options.data,
  };
}

/** Resolves when all has been stopped, at the user's wish. @throws StartFailure when it could not start */
async function run(
  { port, replicas, environment, settings, config, dataFolder }: Plan,
  output: Output,
  stop: StopSignal,
) {
  const progress = (text: string) => output.progress("switchyard", text);
  const undo: Array<() => Promise<void>> = [];
  try {
    const balancer = createLoadBalancer((name, healthy) =>
      output.progress(name, healthy ? "answers again" : "does not answer: gets no requests until it does"),
    );
    undo.push(() => balancer.close());
    const url = `http://127.0.0.1:${await balancer.listen(port)}`;
    const app = await build();
    const project = config ?? join(app, "agents/langgraph.json");

    const redis = await openRedis({ environment, settings, dataFolder }, output, stop.first);
    undo.push(() => redis.stop());
    const roles = localRoles(app, { ...environment, REDIS_URL: redis.url, LANGGRAPH_CONFIG_FILE: project }, replicas);
    output.speakers(roles.map((role) => role.name));
    const supervisor = createSupervisor(roles, {
      line: (name, text) => {
        for (const line of readable(text)) output.line(name, line);
      },
      progress: (name, text) => output.progress(name, text),
      up: (name, port) => name.startsWith("server") && balancer.addTarget(name, port),
      down: (name) => balancer.removeTarget(name),
    });
    undo.push(() => supervisor.stop(settings.drainSeconds * 1000 + GRACE_MS));
    undo.push(async () => balancer.stopAccepting());
    stop.onSecond(() => supervisor.kill());

    progress(`starting ${replicas.servers} servers and ${replicas.workers} workers (Ctrl-C stops everything)`);
    await Promise.race([supervisor.start(), stop.stopped]);
    if (!stop.first.aborted) output.result(readyText(url, project, environment, settings.apiKeyHashes.length > 0));
    await stop.stopped;
    progress("stopping; Ctrl-C again ends at once");
  } finally {
    for (const step of undo.reverse()) await step();
    if (stop.first.aborted) progress(namesRedis(environment) || dataFolder ? "stopped" : "stopped; its data are gone");
  }
}

async function openRedis(
  { environment, settings, dataFolder }: Pick<Plan, "environment" | "settings" | "dataFolder">,
  output: Output,
  signal: AbortSignal,
): Promise<LocalRedis> {
  const progress = (text: string) => output.progress("switchyard", text);
  if (namesRedis(environment)) {
    await checkRedis(settings.redis, REDIS_ANSWERS_WITHIN_MS);
    progress(`redis: ${new URL(settings.redis.url).host}, as REDIS_URL says`);
    return { url: settings.redis.url, stop: async () => {} };
  }
  const binary = await resolveRedisBinary(progress, { environment, signal });
  const redis = await keepRedis(binary, dataFolder, (text) => output.progress("redis", text));
  progress(`redis: ${binary.title}, ${redis.url}${dataFolder ? `, data in ${dataFolder}` : ""}`);
  return redis;
}

/** The exit code. */
async function main(args: string[], environment: NodeJS.ProcessEnv, output: Output): Promise<number> {
  const underNpm = environment.npm_lifecycle_event === "start";
  const stop = stopSignal(underNpm);
  let forced = false;
  stop.onSecond(() => {
    forced = true;
  });
  try {
    // npm runs scripts in the package's folder; relative paths are the user's.
    const here = (underNpm && environment.INIT_CWD) || process.cwd();
    const options = readOptions(args, here, underNpm ? environment : {});
    if (options.help) output.result(usage);
    else await run(plan(options, environment, here), output, stop);
    return forced ? 130 : 0;
  } catch (error) {
    // Ctrl-C during the start.
    if (error instanceof Error && error.name === "AbortError") return 0;
    if (!(error instanceof StartFailure || error instanceof SettingsError)) throw error;
    output.failure(error.message);
    return error instanceof StartFailure ? error.exitCode : 2;
  }
}

const output = new Output(process.stdout, process.stderr);
const exitCode = await main(process.argv.slice(2), process.env, output);
await output.flushed();
process.exit(exitCode);
