/**
 * One life of a role's process.
 *
 * It has a process group of its own, so that a Ctrl-C in the terminal reaches only `npm start`, which drains in order.
 * The IPC channel is its tie to us: the role tells its port over it, and ends when it closes, however we end.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { answersOk } from "./targets.js";

export interface Role {
  /** Such as `server-1`. */
  name: string;
  /** Arguments for Node: the program and its own. */
  args: string[];
  environment: NodeJS.ProcessEnv;
}

export interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last lines it wrote to stderr. */
  stderr: string;
}

export interface Instance {
  /** Its port, once it serves there and answers its health check; nothing if it ends before. */
  healthy: Promise<number | undefined>;
  ended: Promise<End>;
  /** SIGTERM goes to the role, which drains; SIGKILL to all of its group. */
  signal(signal: "SIGTERM" | "SIGKILL"): void;
}

const STDERR_LINES = 20;
const HEALTH_POLL_MS = 50;

/** @param print hears each line that the process writes */
export function launch(role: Role, print: (line: string) => void): Instance {
  const child = spawn(process.execPath, role.args, {
    env: role.environment,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  const signal = (kind: "SIGTERM" | "SIGKILL") => {
    if (child.pid === undefined) return;
    try {
      process.kill(kind === "SIGKILL" ? -child.pid : child.pid, kind);
    } catch {
      // It has ended already.
    }
  };

  const stderr: string[] = [];
  eachLine(child.stdout, print);
  eachLine(child.stderr, (line) => {
    stderr.push(line);
    if (stderr.length > STDERR_LINES) stderr.shift();
    print(line);
  });

  const ended = new Promise<End>((resolve) => {
    child.once("error", (error) => resolve({ code: null, signal: null, stderr: error.message }));
    // What the role itself started must not outlive it, nor hold its pipes open.
    child.once("exit", () => signal("SIGKILL"));
    child.once("close", (code, signal) => resolve({ code, signal, stderr: stderr.join("\n") }));
  });
  const listening = new Promise<number>((resolve) => {
    child.on("message", (message) => {
      const port = listeningPort(message);
      if (port !== undefined) resolve(port);
    });
  });
  const over = ended.then(() => undefined);
  const healthy = Promise.race([listening, over]).then(async (port) => {
    let alive = true;
    void ended.then(() => {
      alive = false;
    });
    while (alive && port !== undefined) {
      if (await answersOk(port)) return port;
      await Promise.race([over, new Promise((later) => setTimeout(later, HEALTH_POLL_MS))]);
    }
    return undefined;
  });
  return { healthy, ended, signal };
}

function eachLine(input: Readable | null, heard: (line: string) => void): void {
  if (input) createInterface({ input }).on("line", heard);
}

function listeningPort(message: unknown): number | undefined {
  if (typeof message !== "object" || message === null || !("event" in message) || !("port" in message))
    return undefined;
  return message.event === "listening" && typeof message.port === "number" ? message.port : undefined;
}
