import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";

const root = join(import.meta.dirname, "../..");

interface Started {
  child: ChildProcess;
  /** What it has printed so far. */
  said(): string;
  /** Exit code and signal. */
  ended: Promise<unknown[]>;
  /** Holds nothing when all has been cleaned up. */
  temporary: string;
}

const cleanups: Array<() => void> = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

function start(args: string, environment: Record<string, string> = {}): Started {
  const temporary = mkdtempSync(join(tmpdir(), "switchyard-start-"));
  const { REDIS_URL, REDIS_URI, NODE_ENV, VITEST, ...inherited } = process.env;
  const child = spawn(process.execPath, ["--import", "tsx", "app/local/start.ts", ...args.split(" ")], {
    cwd: root,
    env: { ...inherited, TMPDIR: temporary, TSX_DISABLE_CACHE: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes) => {
      text += bytes;
    });
  cleanups.push(() => {
    child.kill("SIGKILL");
    rmSync(temporary, { recursive: true, force: true });
  });
  return { child, said: () => text, ended: once(child, "close"), temporary };
}

async function ready(started: Started): Promise<string> {
  const url = () => /^ready (http:\/\/127\.0\.0\.1:\d+)$/m.exec(started.said())?.[1];
  await vi.waitFor(() => expect(url(), started.said()).toBeDefined(), 15_000);
  return url() ?? "";
}

interface Process {
  pid: number;
  command: string;
}

/** All that descends from `pid`, and is not merely waiting to be reaped. */
function descendants(pid: number): Process[] {
  const rows = execFileSync("ps", ["-Ao", "pid=,ppid=,stat=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [])
    .map(([, pid, parent, state, command]) => ({
      pid: Number(pid),
      parent: Number(parent),
      state,
      command: command ?? "",
    }));
  const below = (parent: number): Process[] =>
    rows
      .filter((row) => row.parent === parent && !row.state?.startsWith("Z"))
      .flatMap((row) => [row, ...below(row.pid)]);
  return below(pid);
}

function running(processes: Process[]): Process[] {
  const states = execFileSync("ps", ["-Ao", "pid=,stat="], { encoding: "utf8" });
  return processes.filter(({ pid }) => new RegExp(`^\\s*${pid}\\s+[^Z]`, "m").test(states));
}

const pidOf = (started: Started) => started.child.pid ?? Number.NaN;
const command = (name: string) => (process: Process) => process.command.includes(name);

test("npm start serves, brings a killed server back without a lost request, and leaves nothing behind", async () => {
  const started = start("--servers 2 --workers 1 --port 0");
  const url = await ready(started);
  const processes = descendants(pidOf(started));
  expect(processes.filter(command("main.js server"))).toHaveLength(2);
  expect(processes.filter(command("main.js worker"))).toHaveLength(1);
  expect(started.said()).toContain(`curl -N ${url}/runs/stream`);

  const served = async () => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => fetch(`${url}/ok`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    return [...new Set(answers.map(({ headers }) => headers.get("x-served-by")))].sort();
  };
  expect(await served()).toEqual(["server-1", "server-2"]);

  const [victim] = processes.filter(command("main.js server"));
  process.kill(victim?.pid ?? Number.NaN, "SIGKILL");
  await vi.waitFor(async () => {
    // Every request on the way there is answered: `served` asserts it.
    const names = await served();
    expect(started.said()).toMatch(/server-\d +\| ended \(killed by SIGKILL\); starting it again in 0\.25 s/);
    expect(names).toEqual(["server-1", "server-2"]);
  }, 10_000);

  const all = descendants(pidOf(started));
  started.child.kill("SIGINT");
  expect(await started.ended).toEqual([0, null]);
  expect(running(all)).toEqual([]);
  expect(readdirSync(started.temporary)).toEqual([]);
  await expect(fetch(`${url}/ok`)).rejects.toThrow("fetch failed");
});

test("when npm start itself is killed, all it started goes with it", async () => {
  const started = start("--servers 1 --workers 1 --port 0");
  await ready(started);
  const all = descendants(pidOf(started));
  expect(all.some(command("main.js worker"))).toBe(true);
  started.child.kill("SIGKILL");
  await vi.waitFor(() => {
    expect(running(all)).toEqual([]);
    expect(readdirSync(started.temporary)).toEqual([]);
  }, 10_000);
});

test("Ctrl-C during the start ends it", async () => {
  const started = start("--servers 2 --workers 2 --port 0");
  await vi.waitFor(() => expect(started.said()).toContain("starting 2 servers and 2 workers"), 10_000);
  const all = descendants(pidOf(started));
  expect(all.length).toBeGreaterThan(3);
  started.child.kill("SIGINT");
  expect(await started.ended).toEqual([0, null]);
  expect(started.said()).not.toContain("ready http");
  expect(running(all)).toEqual([]);
  expect(readdirSync(started.temporary)).toEqual([]);
});

test("a taken port is said before anything starts", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  cleanups.push(() => void holder.close());
  const address = holder.address();
  const port = typeof address === "object" && address ? address.port : 0;

  const started = start(`--port ${port}`);
  expect(await started.ended).toEqual([2, null]);
  expect(started.said().trim()).toBe(`Port ${port} is taken. Choose another: npm start -- --port ${port + 1}`);
});

test.each([
  ["an unknown option", "--bogus", {}, 2, "Unknown option '--bogus'"],
  ["an unknown stack", "--stack nowhere", {}, 2, "There is no Pulumi.nowhere.yaml"],
  ["a missing langgraph.json", "--port 0 --config nowhere.json", {}, 2, "nowhere.json"],
  ["a wrong setting", "--port 0", { LEASE_MS: "soon" }, 2, "LEASE_MS must be a whole number"],
  [
    "a Redis that doesn't answer",
    "--port 0",
    { REDIS_URL: "redis://:secret@127.0.0.1:1" },
    3,
    "127.0.0.1:1, does not answer",
  ],
  [
    "a graph that fails to load",
    "--port 0 --config test/support/projects/project/throws.json",
    {},
    2,
    "can't start (exit code 2)",
  ],
])("%s ends the start with a clear message and nothing left", async (_case, args, environment, code, message) => {
  const started = start(args, environment);
  expect(await started.ended).toEqual([code, null]);
  expect(started.said()).toContain(message);
  expect(started.said()).not.toMatch(/secret|ready http/);
  expect(readdirSync(started.temporary)).toEqual([]);
});

test("--data keeps what is in Redis over a restart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-data-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const data = join(folder, "redis");
  const started = start(`--servers 1 --workers 1 --port 0 --data ${data}`);
  const json = { "content-type": "application/json" };
  const created = await fetch(`${await ready(started)}/threads`, { method: "POST", headers: json, body: "{}" });
  const { thread_id: id } = (await created.json()) as { thread_id: string };

  const second = start(`--port 0 --data ${data}`);
  expect(await second.ended).toEqual([2, null]);
  expect(second.said()).toContain(`${data} is in use`);

  started.child.kill("SIGTERM");
  expect(await started.ended).toEqual([0, null]);
  expect(existsSync(join(data, "switchyard.lock"))).toBe(false);

  const again = start(`--servers 1 --workers 1 --port 0 --data ${data}`);
  expect((await fetch(`${await ready(again)}/threads/${id}`)).status).toBe(200);
}, 60_000);
