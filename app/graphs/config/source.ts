/**
 * Where a project's configuration is: in langgraph.json, and in the variables under whose names LangGraph's images carry its
 * keys, as JSON. A variable takes the place of the file's whole key; where one names the graphs there need be no file.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ProjectError } from "./error.js";

export type Environment = Record<string, string | undefined>;

/** Variables, and the keys that they stand for. */
const VARIABLES: Record<string, string> = {
  LANGSERVE_GRAPHS: "graphs",
  LANGGRAPH_STORE: "store",
  LANGGRAPH_HTTP: "http",
  LANGGRAPH_WEBHOOKS: "webhooks",
  LANGGRAPH_CHECKPOINTER: "checkpointer",
  LANGGRAPH_AUTH: "auth",
  LANGGRAPH_ENCRYPTION: "encryption",
  LANGGRAPH_UI: "ui",
  LANGGRAPH_UI_CONFIG: "ui_config",
};

export interface Source {
  /** Absolute path of langgraph.json, be it there or not. */
  file: string;
  /** Where paths start. */
  folder: string;
  json: Record<string, unknown>;
  /** Whom to name where a key is wrong: the file, or the variable that has taken its place. */
  originOf(key: string): string;
}

/** @throws ProjectError without what a variable holds: it may be a secret */
export function readSource(configFile: string, environment: Environment): Source {
  const file = resolve(configFile);
  const origins = new Map<string, string>();
  const json = !existsSync(file) && environment.LANGSERVE_GRAPHS ? {} : parseFile(file);
  for (const [variable, key] of Object.entries(VARIABLES)) {
    const text = environment[variable];
    if (!text) continue;
    origins.set(key, variable);
    json[key] = parseVariable(variable, text);
  }
  return { file, folder: dirname(file), json, originOf: (key) => origins.get(key) ?? file };
}

/** @throws ProjectError */
export function parseVariable(variable: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProjectError(`${variable} is not valid JSON`);
  }
}

function parseFile(file: string): Record<string, unknown> {
  const text = readText(
    file,
    `${file} is not there; name your langgraph.json with --config or LANGGRAPH_CONFIG_FILE, or your graphs in LANGSERVE_GRAPHS`,
  );
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return { ...json };
  } catch (error) {
    throw new ProjectError(`${file} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new ProjectError(`${file} must be an object such as {"graphs": {"agent": "./agent.ts:graph"}}`);
}

/** @throws ProjectError: `missing` where the file is not there */
export function readText(file: string, missing: string): string {
  try {
    return readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") throw new ProjectError(missing);
    throw new ProjectError(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
