/**
 * The configuration that a program sees: the defaults of Pulumi.yaml under the values of Pulumi.<stack>.yaml, every
 * value as text, lists and objects as JSON. The Pulumi CLI does this before it starts a program; whoever runs a program
 * without the CLI has to do the same.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

export interface StackConfig {
  /** `namespace:key` to text. */
  values: Record<string, string>;
  /** Full keys that hold something encrypted. */
  secretKeys: string[];
}

/** A value that must be kept secret, where it can't or shouldn't be written into a stack file. */
export class SecretText {
  constructor(readonly value: unknown) {}
}

/** Stands for what only the stack's owner can decrypt. */
const undecrypted = "undecrypted-value";

/** Names of the stacks that have a file in the folder. */
export function stackNames(folder: string): string[] {
  const names = readdirSync(folder).map((file) => /^Pulumi\.([\w.-]+)\.yaml$/.exec(file)?.[1]);
  return names.filter((name) => name !== undefined).sort();
}

/**
 * @param folder where Pulumi.yaml and the stack's file are
 * @param changes by short key, as `pulumi config set` would add them; undefined removes one
 */
export function stackConfig(folder: string, stack: string, changes: Record<string, unknown> = {}): StackConfig {
  const project = readYaml(join(folder, "Pulumi.yaml"));
  const name = String(project.name);
  const own = asObject(readYaml(join(folder, `Pulumi.${stack}.yaml`)).config);
  const changed = Object.fromEntries(Object.entries(changes).map(([key, value]) => [fullKey(name, key), value]));
  const given = { ...own, ...changed };

  const config: StackConfig = { values: {}, secretKeys: [] };
  for (const [key, declaration] of Object.entries(asObject(project.config)))
    set(config, fullKey(name, key), asObject(declaration).default);
  for (const [key, value] of Object.entries(given)) set(config, key, value);
  return config;
}

function set(config: StackConfig, key: string, given: unknown): void {
  const secrets: unknown[] = [];
  const value = decrypted(key, given, secrets);
  config.secretKeys = config.secretKeys.filter((each) => each !== key);
  if (secrets.length > 0) config.secretKeys.push(key);
  if (value === undefined) delete config.values[key];
  else config.values[key] = typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The value with encrypted parts replaced; what was replaced is added to `secrets`. */
function decrypted(key: string, value: unknown, secrets: unknown[]): unknown {
  if (value instanceof SecretText) {
    secrets.push(value);
    return value.value;
  }
  if (Array.isArray(value)) return value.map((item) => decrypted(key, item, secrets));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]?.[0] === "secure") {
    secrets.push(value);
    return key.endsWith(":redisUrl") ? `rediss://app:${undecrypted}@redis.example.com:6379` : undecrypted;
  }
  return Object.fromEntries(entries.map(([name, item]) => [name, decrypted(key, item, secrets)]));
}

function fullKey(project: string, key: string): string {
  return key.includes(":") ? key : `${project}:${key}`;
}

function readYaml(file: string): Record<string, unknown> {
  return asObject(parse(readFileSync(file, "utf8")));
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
