/**
 * One life of a Redis server process that is ours.
 *
 * It runs under a guard, a few lines of shell that hold the read end of a pipe from this process. The pipe closes when
 * this process asks for it or dies in any way, kill -9 included; the guard then ends Redis and removes its temporary
 * folder. So nothing is ever left behind, and a Ctrl-C in the terminal reaches neither of them.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { StartFailure } from "./failure.js";
import type { RedisBinary } from "./redisBinary.js";

export interface RedisServer {
  url: string;
  port: number;
  pid: number;
  /** Resolves when it has ended, however: an exit code or a signal, in words. */
  ended: Promise<string>;
  /** Ends it; resolves when the process and its temporary folder are gone. */
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** Without it any free port; with it exactly this one. */
  port?: number;
  /** Keep the data here, in an append-only file. Without it a temporary folder goes with the server. */
  dataFolder?: string | undefined;
  /** More flags for the server; they come last and so win. */
  args?: string[];
  /** Its warnings once it serves. Those it gives while it starts are about tuning a production machine. */
  onWarning?(text: string): void;
}

const HOST = "127.0.0.1";
/** Between our look at a free port and the server's bind another process may take it. */
const PORT_ATTEMPTS = 5;
/** For a server that a script or a huge data set keeps from ending. */
const STOP_LIMIT_MS = 5_000;

/**
 * $1: what to remove at the end; then the command. Tells the command's process id first, ends with its exit code.
 * Descriptor 3 is the pipe: a shell gives its background commands an empty standard input.
 */
const guard = `
remove=$1; shift
exec 3<&0
"$@" 3<&- &
server=$!
echo "pid $server"
(read -r _ <&3; kill -TERM $server) 2>/dev/null &
watch=$!
wait $server; code=$?
kill $watch 2>/dev/null
rm -rf -- "$remove"
exit $code`;

/**
 * Starts a server on 127.0.0.1 and waits until it accepts connections.
 * @throws StartFailure 2 when the data folder is in use or can't be written, 3 when the server doesn't start
 */
export async function startRedisServer(binary: RedisBinary, options: RedisServerOptions = {}): Promise<RedisServer> {
  for (let left = options.port === undefined ? PORT_ATTEMPTS : 1; ; left--) {
    const port = options.port ?? (await freePort());
    const { folder, remove } = await folders(options.dataFolder);
    const command = [binary.path, ...flags(port, folder, options.dataFolder !== undefined), ...(options.args ?? [])];
    const child = spawn("/bin/sh", ["-c", guard, "redis-guard", remove, ...command], {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const life = new Life(child, options.onWarning ?? (() => {}));
    const { pid, failure } = await life.start();
    if (pid !== undefined)
      return { url: `redis://${HOST}:${port}`, port, pid, ended: life.ended, stop: () => life.stop() };
    if (left <= 1 || !/address already in use/i.test(failure))
      throw new StartFailure(3, `${binary.title} (${binary.path}) did not start: ${failure}`);
  }
}

class Life {
  readonly ended: Promise<string>;
  private readonly lastLines: string[] = [];
  private pid: number | undefined;
  private stopping = false;

  constructor(
    private readonly child: ChildProcessByStdio<Writable, Readable, Readable>,
    private readonly onWarning: (text: string) => void,
  ) {
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    // Writing to a guard that has just gone is no reason to fall.
    child.stdin.on("error", () => {});
  }

  /** The server's process id once it serves, or why it doesn't. */
  async start(): Promise<{ pid: number; failure?: never } | { pid?: never; failure: string }> {
    const serving = new Promise<number>((resolve) => {
      let pid = Number.NaN;
      for (const input of [this.child.stdout, this.child.stderr])
        createInterface({ input }).on("line", (line) => {
          if (line.startsWith("pid ")) pid = Number(line.slice(4));
          if (/ready to accept connections/i.test(line)) resolve(pid);
          this.heard(line);
        });
    });
    const first = await Promise.race([serving, this.ended]);
    if (typeof first === "string") return { failure: [first, ...this.lastLines].join("\n") };
    this.pid = first;
    return { pid: first };
  }

  /** Redis marks its warnings with #. */
  private heard(line: string): void {
    this.lastLines.push(line);
    if (this.lastLines.length > 5) this.lastLines.shift();
    const warning = / # (.*)$/.exec(line)?.[1];
    if (warning && this.pid !== undefined && !this.stopping) this.onWarning(warning);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.child.stdin.end();
    const limit = setTimeout(() => this.pid !== undefined && process.kill(this.pid, "SIGKILL"), STOP_LIMIT_MS);
    await this.ended;
    clearTimeout(limit);
  }
}

function flags(port: number, folder: string, keep: boolean): string[] {
  return [
    ...["--port", String(port), "--bind", HOST, "--dir", folder, "--daemonize", "no"],
    ...["--save", "", "--appendonly", keep ? "yes" : "no", "--appendfsync", "everysec"],
    ...["--maxmemory-policy", "noeviction", "--loglevel", "notice", "--logfile", ""],
  ];
}

async function folders(dataFolder: string | undefined): Promise<{ folder: string; remove: string }> {
  if (dataFolder === undefined) {
    const folder = await mkdtemp(join(tmpdir(), "switchyard-redis-"));
    return { folder, remove: folder };
  }
  const folder = resolve(dataFolder);
  const lock = join(folder, "switchyard.lock");
  try {
    await mkdir(folder, { recursive: true });
    await acquire(lock, folder);
  } catch (error) {
    if (error instanceof StartFailure) throw error;
    throw new StartFailure(2, `--data ${dataFolder} can't be used: ${error instanceof Error ? error.message : error}`);
  }
  return { folder, remove: lock };
}

/** Two servers that append to one file would ruin it. A lock whose holder died is taken over. */
async function acquire(lock: string, folder: string): Promise<void> {
  try {
    await writeFile(lock, String(process.pid), { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    // Empty: its holder died between creating and writing it.
    const holder = Number(await readFile(lock, "utf8"));
    if (holder > 0 && holder !== process.pid && alive(holder))
      throw new StartFailure(
        2,
        `--data ${folder} is in use by process ${holder}; give each npm start a folder of its own.`,
      );
    await writeFile(lock, String(process.pid));
  }
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** A port of 127.0.0.1 that nobody has at this moment. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, HOST, resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}
