/** Graphs in plain Node.js: under vitest its own loader would compile a project's TypeScript, not ours. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Invoked {
  output: unknown;
  /** Resident memory of the process once the project is loaded. */
  megabytes: number;
  /** How many copies of LangGraph are loaded, and in which module format the project loaded it. */
  copies: number;
  module: "esm" | "commonjs";
}

const SCRIPT = fileURLToPath(new URL("./child.mjs", import.meta.url));

/** @param app the compiled app @throws with the process's standard error if it fails */
export async function invokeInNode(app: string, config: string, graph: string, input: unknown): Promise<Invoked> {
  const options = { app, config, graph, input: JSON.stringify(input) };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, ...flags]);
  return JSON.parse(stdout);
}
