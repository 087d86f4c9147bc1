/**
 * Where a server has its graphs' schemas from: the file that the image's build left beside langgraph.json, else the one
 * that an earlier start left in `node_modules/.cache` of this package, else a child process that loads the project once
 * more. Both are marked by the hash of the project's code, so a change of code makes them anew.
 */
import { fork } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, extname, join, relative, sep } from "node:path";
import type { Log } from "../telemetry/log.js";
import type { Project } from "./config.js";
import { findLangGraph } from "./runtime.js";
import type { GraphSchemas, ProjectSchemas } from "./schemas.js";

/** Ours, by which the schemas of the same project may come out otherwise in the next release. */
const READER = join(import.meta.dirname, `schemas${extname(import.meta.filename)}`);
const CODE = new Set([".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".json"]);
/** Written by package managers, also between the hash of a build and a start. */
const LOCKS = new Set(["package-lock.json", "npm-shrinkwrap.json"]);
/** A project that imports more than a server's start should wait for. */
const CHILD_MS = 120_000;
/** A request waits so long for the child, then its client is asked to come again. */
const WAIT_MS = 10_000;

/** Beside langgraph.json, in an image. */
export const BUILT_SCHEMAS = join(".switchyard", "schemas.json");

interface SchemaFile {
  hash: string;
  schemas: ProjectSchemas;
}

export interface SchemaSource {
  /**
   * @returns `pending` while they are being read, after a wait; undefined where the graph does not tell them
   */
  of(graphId: string): Promise<GraphSchemas | "pending" | undefined>;
  close(): void;
}

export interface SchemaSourceOptions {
  project: Project;
  /** The compiled main.js. */
  main: string;
  log: Log;
  /** Where they are kept from one start to the next. */
  folder?: string;
  waitMs?: number;
}

/** Begins to read them, and does not wait. */
export function startSchemaSource(options: SchemaSourceOptions): SchemaSource {
  const { project, log, folder = cacheFolder(), waitMs = WAIT_MS } = options;
  const stop = new AbortController();
  const read = readFor(options, folder, stop.signal).catch((error: unknown) => {
    // Neither message nor output: a project's own may hold anything.
    const reason = error instanceof Error ? error.name : typeof error;
    if (!stop.signal.aborted) log.warn({ event: "schemas_failed", reason }, "the graphs' schemas could not be read");
    return {} as ProjectSchemas;
  });
  return {
    async of(graphId) {
      const schemas = await within(waitMs, read);
      if (schemas === "pending") return schemas;
      return Object.hasOwn(schemas, graphId) && project.graphs.some(({ id }) => id === graphId)
        ? schemas[graphId]
        : undefined;
    },
    close: () => stop.abort(),
  };
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T | "pending"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"pending">((resolve) => {
    timer = setTimeout(resolve, ms, "pending");
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function readFor({ project, main, log }: SchemaSourceOptions, folder: string, signal: AbortSignal) {
  const hash = await hashProject(project);
  const cache = join(folder, `${hash}.json`);
  const kept = (await keptIn(join(project.folder, BUILT_SCHEMAS), hash)) ?? (await keptIn(cache, hash));
  if (kept) return kept;
  const started = performance.now();
  const schemas = await askChild(main, project, signal);
  log.info({ event: "schemas_read", ms: Math.round(performance.now() - started) }, "the graphs' schemas were read");
  // Where there is no place to write to, the next start reads them again.
  await keep(cache, { hash, schemas }).catch(() => {});
  return schemas;
}

/** Of the package that this file is in, compiled or not. */
function cacheFolder(): string {
  let root = import.meta.dirname;
  while (!existsSync(join(root, "node_modules")) && root !== dirname(root)) root = dirname(root);
  return join(root, "node_modules", ".cache", "switchyard", "schemas");
}

/** Leaves them beside langgraph.json, for the servers of an image. */
export async function leaveSchemas(project: Project, schemas: ProjectSchemas): Promise<void> {
  const file = join(project.folder, BUILT_SCHEMAS);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ hash: await hashProject(project), schemas } satisfies SchemaFile));
}

/** Of all code and JSON of the project's folder, its node_modules apart, of its LangGraph's version, and of our reader. */
export async function hashProject({ folder }: Pick<Project, "folder">): Promise<string> {
  const { version } = findLangGraph(folder);
  const sum = createHash("sha256")
    .update(version)
    .update(await readFile(READER));
  for (const file of await codeIn(folder)) {
    const content = await readFile(file);
    sum.update(JSON.stringify([relative(folder, file).split(sep).join("/"), content.length])).update(content);
  }
  return sum.digest("hex").slice(0, 32);
}

async function codeIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules" || entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await codeIn(path)));
    else if (entry.isFile() && CODE.has(extname(entry.name)) && !LOCKS.has(entry.name)) found.push(path);
  }
  return found.sort();
}

async function keptIn(file: string, hash: string): Promise<ProjectSchemas | undefined> {
  try {
    const kept: SchemaFile = JSON.parse(await readFile(file, "utf8"));
    return kept.hash === hash ? kept.schemas : undefined;
  } catch {
    return undefined;
  }
}

async function keep(file: string, content: SchemaFile): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.${randomUUID()}`;
  await writeFile(fresh, JSON.stringify(content));
  await rename(fresh, file);
}

/** What the project writes goes nowhere: it is written once by the process that runs it. */
function askChild(main: string, project: Project, signal: AbortSignal): Promise<ProjectSchemas> {
  return new Promise((resolve, reject) => {
    const child = fork(main, ["schemas"], {
      cwd: project.folder,
      env: { ...process.env, LANGGRAPH_CONFIG_FILE: project.file },
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      timeout: CHILD_MS,
      killSignal: "SIGKILL",
      signal,
    });
    child.once("error", reject);
    child.once("message", (message: { schemas: ProjectSchemas }) => resolve(message.schemas));
    child.once("exit", (code) => reject(new Error(`the process that reads schemas ended with ${code}`)));
  });
}
