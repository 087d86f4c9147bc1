/** The program as the tests see it: run by Pulumi's own runner, once for each stack and change. */
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import type { RecordedResource, Recording } from "../../infra/engine/recording.js";
import { runProgram } from "../../infra/engine/run.js";
import { stackConfig } from "../../infra/engine/stackFiles.js";
import { isValues, type Values } from "../../infra/engine/wire.js";

// A run takes three seconds alone, and many times that beside other suites.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Options {
  preview?: boolean;
  /** Another name than the stack file's. */
  name?: string;
  zones?: string[];
}

const runs = new Map<string, Promise<Recording>>();

/** Runs the program as `pulumi up` would, whether it ends well or not; the same run is made once for a test file. */
export async function attempt(stack: string, changes: Values = {}, options: Options = {}): Promise<Recording> {
  const { preview = false, name = stack, zones = ["example.com"] } = options;
  const run = { root, stack: name, config: stackConfig(root, stack, changes), preview, zones };
  const key = JSON.stringify(run);
  const known = runs.get(key) ?? runProgram(run);
  runs.set(key, known);
  return await known;
}

/** Runs the program, which must end well. */
export async function program(stack: string, changes: Values = {}, options: Options = {}): Promise<Recording> {
  const recording = await attempt(stack, changes, options);
  if (recording.exitCode !== 0) throw new Error(`${recording.errors.join("\n")}\n${recording.printed}`);
  return recording;
}

/** What a task definition says of its container. */
export interface Container {
  environment: Record<string, string>;
  /** Names, to what they refer to. */
  secrets: Record<string, string>;
  all: Values;
}

export function containerOf(task: RecordedResource): Container {
  const definitions: unknown = JSON.parse(String(task.inputs.containerDefinitions));
  const all: unknown = Array.isArray(definitions) ? definitions[0] : undefined;
  if (!isValues(all)) throw new Error(`${task.name} has no container`);
  return { environment: pairs(all.environment, "value"), secrets: pairs(all.secrets, "valueFrom"), all };
}

function pairs(list: unknown, field: string): Record<string, string> {
  const items: unknown[] = Array.isArray(list) ? list : [];
  return Object.fromEntries(items.filter(isValues).map((item) => [String(item.name), String(item[field])]));
}

/** Paths of all strings in a value that hold a text. */
export function pathsOf(value: unknown, text: string, path = ""): string[] {
  if (typeof value === "string") return value.includes(text) ? [path] : [];
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsOf(item, text, `${path}[${index}]`));
  if (!isValues(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => pathsOf(item, text, path === "" ? key : `${path}.${key}`));
}
