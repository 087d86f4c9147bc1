/** The key `env`: variables for the project's code. */
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { z } from "zod";
import { type Environment, readText } from "./source.js";

export const Env = z.union(
  [z.string(), z.array(z.string()), z.record(z.string(), z.string())],
  'must be a file such as ".env", or a map of names to texts',
);
type Env = z.infer<typeof Env> | null | undefined;

/** @throws ProjectError for a file that is not there */
export function readEnv(configFile: string, folder: string, env: Env): Record<string, string> {
  if (env == null || Array.isArray(env)) return {};
  if (typeof env !== "string") return env;
  const file = resolve(folder, env);
  const parsed = parseEnv(readText(file, `${configFile}: env names ${env}, which is not there (looked for ${file})`));
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, value ?? ""]));
}

/** As a list it only names what the environment must bring. */
export function unsetNames(env: Env, environment: Environment): string[] {
  if (!Array.isArray(env)) return [];
  return env.filter((name) => environment[name] === undefined).map((name) => `env names ${name}, which is not set`);
}
