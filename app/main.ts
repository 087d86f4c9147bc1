/**
 * The entry of the one image: `node main.js server`, `node main.js worker`, or `node main.js check [VARIABLE…]`, which
 * loads the graphs, prints their ids and ends; or `node main.js schemas [VARIABLE…]`, which leaves
 * the graphs' schemas beside langgraph.json or, as a child, sends them to its parent.
 * Exit codes: 0 drained or loaded, 1 failed, 2 wrong usage, configuration or project, 3 Redis does not answer.
 */
import { checkProject, describeProject } from "./check.js";
import { ModelRefused } from "./data/model.js";
import { ProjectError } from "./graphs/config.js";
import { leaveSchemas } from "./graphs/schemaSource.js";
import { RedisUnreachable, type Role, startServerRole, startWorkerRole } from "./roles.js";
import { readSettings, SettingsError } from "./settings.js";
import { stackFrames } from "./telemetry/frames.js";
import { createLog, type Log } from "./telemetry/log.js";

const roles = { server: startServerRole, worker: startWorkerRole };

async function main(role: string | undefined, rest: string[]): Promise<void> {
  if (role === "check") return await check(rest);
  if (role === "schemas") return await schemas(rest);
  if (role !== "server" && role !== "worker") return fail(2, "usage: main.js server|worker|check");
  // Whoever started this process as a child has ended, or never will ask for anything again.
  process.on("disconnect", () => process.exit(0));
  try {
    const settings = readSettings(process.env);
    const log = createLog(settings.logLevel, { stack: settings.stackName, instance: settings.instanceName, role });
    // A promise that some node left behind must not end everybody's runs.
    process.on("unhandledRejection", (reason) => {
      log.error(
        { event: "unhandled_rejection", error: reason instanceof Error ? reason.name : typeof reason },
        "unhandled",
      );
    });
    let running: Role | undefined;
    process.on("uncaughtException", (error) => void crash(error, running, log));
    running = await roles[role](settings, log);
    void running.unfit?.then(() => process.exit(1));
    log.info({ event: "listening", port: running.port }, `${role} is ready`);
    // Tells whoever started this process as a child, whatever the log level.
    process.send?.({ event: "listening", port: running.port });
    stopOnSignal(running, log);
  } catch (error) {
    explain(error);
  }
}

/** Ends the process: whatever a graph's file has opened would keep it alive. */
async function check(deployed: string[]): Promise<void> {
  try {
    const lines = await checkProject(process.env, deployed);
    process.stdout.write(lines.map((line) => `${line}\n`).join(""), () => process.exit(0));
  } catch (error) {
    explain(error);
  }
}

async function schemas(deployed: string[]): Promise<void> {
  process.on("disconnect", () => process.exit(0));
  try {
    const { project, schemas } = await describeProject(process.env, deployed);
    if (process.send) process.send({ schemas }, undefined, undefined, () => process.exit(0));
    else await leaveSchemas(project, schemas).then(() => process.exit(0));
  } catch (error) {
    explain(error);
  }
}

let crashing = false;

/** Code of a graph may throw in a timer or a listener: then nobody knows what state this process is in. */
async function crash(error: unknown, running: Role | undefined, log: Log): Promise<void> {
  if (running === undefined) explain(error);
  if (crashing) return;
  crashing = true;
  const name = error instanceof Error ? error.name : typeof error;
  log.fatal({ event: "uncaught_exception", error: name, frames: stackFrames(error) }, "uncaught: this process ends");
  await running.crash?.();
  process.exit(1);
}

function explain(error: unknown): never {
  if (error instanceof SettingsError || error instanceof ProjectError) fail(2, error.message);
  if (error instanceof ModelRefused) fail(2, error.message);
  if (error instanceof RedisUnreachable) fail(3, error.message);
  if (isTaken(error)) fail(2, `port ${error.port} is taken; choose another PORT or HEALTH_PORT`);
  fail(1, error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/** The first SIGTERM or SIGINT drains, a second one ends at once. */
function stopOnSignal(running: Role, log: Log): void {
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) process.exit(130);
    stopping = true;
    log.info({ event: "stopping", signal }, "stopping");
    try {
      await running.stop();
    } catch (error) {
      log.error({ event: "stop_failed", reason: error instanceof Error ? error.name : typeof error }, "stopped hard");
      process.exit(1);
    }
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

function isTaken(error: unknown): error is Error & { port: number } {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE" && "port" in error;
}

function fail(code: number, message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

await main(process.argv[2], process.argv.slice(3));
