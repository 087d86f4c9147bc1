/** A role as a process of its own, on free ports. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

export interface RunningRole {
  url: string;
  process: ChildProcess;
  /** What it wrote so far. */
  output(): string;
  /** SIGTERM; resolves to the exit code, or the signal that ended it. */
  stop(): Promise<number | string | null>;
}

export interface RoleProcess {
  /** The compiled main.js. */
  main: string;
  role: "server" | "worker";
  environment: NodeJS.ProcessEnv;
  folder?: string;
  /** Of a user and its group, where this process may change its own. */
  uid?: number;
}

/** Resolves when it listens. @throws with what it wrote where it ends before */
export async function startRole({ main, role, environment, folder, uid }: RoleProcess): Promise<RunningRole> {
  const child = fork(main, [role], {
    env: { PATH: process.env.PATH, PORT: "0", HEALTH_PORT: "0", DRAIN_SECONDS: "5", ...environment },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [],
    ...(folder === undefined ? {} : { cwd: folder }),
    ...(uid === undefined || process.getuid?.() !== 0 ? {} : { uid, gid: uid }),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk) => {
      output += chunk;
    });
  const exited = once(child, "exit");
  const [message] = (await Promise.race([once(child, "message"), exited.then(() => [])])) as [{ port: number }?];
  if (message === undefined) throw new Error(`the ${role} ended before it was ready: ${output}`);
  return {
    url: `http://127.0.0.1:${message.port}`,
    process: child,
    output: () => output,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await exited;
      return child.exitCode ?? child.signalCode;
    },
  };
}
