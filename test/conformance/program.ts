/** Cases that a program of its own runs: it prints a line of JSON for each, `{"case", "error"}`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Outcome } from "./cases.js";
import { isRecord } from "./shape.js";

const LIMIT_MS = 180_000;

/** @param prefix of the lines that tell of failures */
export async function runProgram(
  command: string,
  args: string[],
  environment: Record<string, string>,
  prefix: string,
): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, failed: [] };
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT_MS,
  });
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const told: unknown = JSON.parse(line);
    if (!isRecord(told)) throw new Error(`not a case: ${line}`);
    if (typeof told.error === "string") outcome.failed.push(`${prefix}${told.case}: ${told.error}`);
    else outcome.passed++;
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (code !== 0) outcome.failed.push(`${prefix}${command} ended with ${code ?? signal}: ${errors.trim().slice(-500)}`);
  else if (outcome.passed + outcome.failed.length === 0) outcome.failed.push(`${prefix}no case was run`);
  return outcome;
}
