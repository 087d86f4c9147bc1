/** The commands that a deployment needs anyway (`aws`, `pulumi`, `docker`), asked with the login that they have. */
import { spawn } from "node:child_process";

export interface Answer {
  /** Undefined where the program is not installed. */
  code: number | undefined;
  stdout: string;
  /** The last line of standard error: where these programs say what is wrong. */
  complaint: string;
  /** All of standard error. */
  stderr: string;
}

export interface Surroundings {
  /** Variables on top of the others. */
  environment?: Record<string, string>;
  /** Without this shell's own variables, such as its keys: with what a build has too. */
  bare?: boolean;
}

export type Ask = (program: string, args: string[], surroundings?: Surroundings) => Promise<Answer>;

/** Most that a command may take, ms: a login that waits for a browser would wait for ever. */
const LIMIT_MS = 60_000;

/** What a process needs to run and to reach the network. */
const BARE = [
  "PATH",
  "HOME",
  "TMPDIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
];

/** @param folder where the commands run: that of Pulumi.yaml */
export function createAsk(folder: string): Ask {
  return async (program, args, { environment = {}, bare = false } = {}) => {
    const inherited = Object.entries(process.env).filter(([name]) => !bare || BARE.includes(name));
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...Object.fromEntries(inherited), AWS_PAGER: "", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, LIMIT_MS);
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
    if (late) return { code: 1, stdout, complaint: `no answer within ${LIMIT_MS / 1000} s`, stderr: "" };
    return { code, stdout, complaint: stderr.trim().split("\n").at(-1) ?? "", stderr };
  };
}

/** A program's answer in JSON. @throws Error that names the program */
export function parsed(answer: Answer, program = "aws"): unknown {
  try {
    return JSON.parse(answer.stdout);
  } catch {
    throw new Error(`${program} answered no JSON`);
  }
}
