/** The commands that a deployment needs anyway (`aws`, `pulumi`, `docker`), asked with the login that they have. */
import { spawn } from "node:child_process";

export interface Answer {
  /** Undefined where the program is not installed. */
  code: number | undefined;
  stdout: string;
  /** The last line of standard error: where these programs say what is wrong. */
  complaint: string;
}

export type Ask = (program: string, args: string[], environment?: Record<string, string>) => Promise<Answer>;

/** Most that a command may take, ms: a login that waits for a browser would wait for ever. */
const LIMIT_MS = 60_000;

/** @param folder where the commands run: that of Pulumi.yaml */
export function createAsk(folder: string): Ask {
  return async (program, args, environment = {}) => {
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, AWS_PAGER: "", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const limit = setTimeout(() => child.kill(), LIMIT_MS);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const code = await new Promise<number | undefined>((resolve) => {
      child.once("error", () => resolve(undefined));
      child.once("close", (exit) => resolve(exit ?? 1));
    });
    clearTimeout(limit);
    return { code, stdout, complaint: stderr.trim().split("\n").at(-1) ?? "" };
  };
}

/** A program's answer in JSON. @throws SyntaxError */
export function parsed(answer: Answer): unknown {
  return JSON.parse(answer.stdout);
}
