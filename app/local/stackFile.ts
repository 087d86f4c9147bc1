/**
 * The replicas of a stack, from the same two files that `pulumi up` reads: `Pulumi.yaml` declares each key with its
 * default, `Pulumi.<stack>.yaml` sets it. They are data here; no Pulumi is needed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { StartFailure } from "./failure.js";
import { MOST_INSTANCES } from "./options.js";

export interface Replicas {
  servers: number;
  workers: number;
  runsPerWorker: number;
}

const NAMESPACE = "switchyard";
const DEFAULT_STACK = "dev";

const Declarations = z.record(z.string(), z.union([z.object({ default: z.unknown() }), z.unknown()]));
const File = z.object({ config: Declarations.nullish() }).nullable();

/**
 * @param folder where the Pulumi files are
 * @param stack without it `dev`, which then needs no file
 * @throws StartFailure 2 that names the file and the key
 */
export function readReplicas(folder: string, stack: string | undefined): Replicas {
  const project = read(folder, "Pulumi.yaml");
  const stackFile = `Pulumi.${stack ?? DEFAULT_STACK}.yaml`;
  const chosen = stack === undefined && !existsSync(join(folder, stackFile)) ? {} : readStack(folder, stackFile);

  const whole = (key: string, least: number, most: number): number => {
    const set = chosen[`${NAMESPACE}:${key}`];
    // The CLI writes what `pulumi config set` is given as text.
    const value = set === undefined ? declaredDefault(project, key) : typeof set === "string" ? Number(set) : set;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    const file = set === undefined ? "Pulumi.yaml" : stackFile;
    throw new StartFailure(2, `${file}: ${NAMESPACE}:${key} must be a whole number from ${least} to ${most}`);
  };
  return {
    servers: whole("servers", 1, MOST_INSTANCES.servers),
    // A stack that scales to nothing on AWS still needs a worker here: nothing scales it up again.
    workers: Math.max(1, whole("workers", 0, MOST_INSTANCES.workers)),
    runsPerWorker: whole("runsPerWorker", 1, 1000),
  };
}

/** Keys of the project's own namespace may be declared without it. */
function declaredDefault(project: Record<string, unknown>, key: string): unknown {
  const declared = project[`${NAMESPACE}:${key}`] ?? project[key];
  return typeof declared === "object" && declared !== null && "default" in declared ? declared.default : undefined;
}

function readStack(folder: string, file: string): Record<string, unknown> {
  if (existsSync(join(folder, file))) return read(folder, file);
  const stacks = readdirSync(folder)
    .map((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1])
    .filter((name) => name !== undefined);
  throw new StartFailure(2, `There is no ${file}. Stacks here: ${stacks.join(", ") || "none"}`);
}

function read(folder: string, file: string): Record<string, unknown> {
  try {
    const parsed = File.parse(parse(readFileSync(join(folder, file), "utf8")));
    return parsed?.config ?? {};
  } catch (error) {
    throw new StartFailure(2, `${file} can't be read: ${error instanceof Error ? error.message : error}`);
  }
}
