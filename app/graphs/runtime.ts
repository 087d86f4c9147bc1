/**
 * The user's own copy of LangGraph. A graph runs with the copy that compiled it, and that copy must be handed its own
 * classes: it knows a `Send` by `instanceof`. So nothing here imports ours, except as types.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command, RunControl, Send } from "@langchain/langgraph";
import type {
  BaseCheckpointSaver,
  BaseStore,
  JsonPlusSerializer,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { ProjectError } from "./config.js";

export type { RunControl } from "@langchain/langgraph";

export interface Runtime {
  /** Of the project's `@langchain/langgraph`. */
  version: string;
  Command: typeof Command;
  Send: typeof Send;
  RunControl: typeof RunControl;
  /** To extend, so that a saver and a store of ours are ones for this copy as well. */
  BaseCheckpointSaver: typeof BaseCheckpointSaver;
  BaseStore: typeof BaseStore;
  /** How this copy writes and reads checkpoints. */
  serializer: SerializerProtocol;
  /** Whether a run ended because its `RunControl` asked it to. By name: there may be more than one copy of the class. */
  isDrained(error: unknown): boolean;
}

/** A command as the API takes it. */
export interface CommandFields {
  resume?: unknown;
  update?: unknown;
  goto?: Destination | Destination[];
}

/** Of a `goto`: a node, or a node with an input of its own. */
type Destination = string | { node: string; input?: unknown };

/** Made of the classes of the graph's own copy of LangGraph. */
export function toCommand({ goto, ...others }: CommandFields, runtime: Pick<Runtime, "Command" | "Send">): Command {
  const fields = others as ConstructorParameters<typeof Command>[0];
  if (goto === undefined) return new runtime.Command(fields);
  const all = Array.isArray(goto) ? goto : [goto];
  const to = all.map((each) => (typeof each === "string" ? each : new runtime.Send(each.node, each.input)));
  return new runtime.Command({ ...fields, goto: to });
}

/** `@langchain/langgraph/zod/schema`: JSON schemas of what a graph was made from. */
export type Describe = Record<string, (graph: unknown) => unknown>;

export interface Installed {
  version: string;
  folder: string;
}

const LANGGRAPH = "@langchain/langgraph";
const CHECKPOINT = "@langchain/langgraph-checkpoint";
const RANGE = ">= 1.4.0 < 2";

const Versioned = z.object({ version: z.string() });
const Importable = z.object({
  exports: z.record(
    z.string(),
    z.union([z.string(), z.object({ import: z.union([z.string(), z.object({ default: z.string() })]) })]),
  ),
});

/**
 * Finds the project's LangGraph.
 * @param folder of langgraph.json
 * @throws ProjectError where it is missing or its version is not supported
 */
export function findLangGraph(folder: string): Installed {
  const root = packageFolder(LANGGRAPH, folder);
  if (!root)
    throw new ProjectError(`${LANGGRAPH} is not installed in ${folder}; run \`npm install ${LANGGRAPH}\` there`);
  const { version } = Versioned.parse(manifest(root));
  if (!supported(version))
    throw new ProjectError(
      `${root} is ${LANGGRAPH} ${version}; Switchyard needs ${RANGE} (RunControl is new in 1.4.0)`,
    );
  return { version, folder: root };
}

/** Loads the classes, after the graphs: in the module format in which these loaded LangGraph, so that it is loaded once. */
export async function loadRuntime({ version, folder }: Installed): Promise<Runtime> {
  const checkpointFolder = packageFolder(CHECKPOINT, folder);
  if (!checkpointFolder) throw new ProjectError(`${CHECKPOINT}, which ${folder} needs, is not installed`);
  const langgraph = await load(LANGGRAPH, folder);
  const checkpoint = await load(CHECKPOINT, checkpointFolder);
  const Serializer = pick<typeof JsonPlusSerializer>(checkpoint, "JsonPlusSerializer", checkpointFolder);
  return {
    version,
    Command: pick(langgraph, "Command", folder),
    Send: pick(langgraph, "Send", folder),
    RunControl: pick(langgraph, "RunControl", folder),
    BaseCheckpointSaver: pick(checkpoint, "BaseCheckpointSaver", checkpointFolder),
    BaseStore: pick(checkpoint, "BaseStore", checkpointFolder),
    serializer: new Serializer(),
    isDrained: (error) => error instanceof Error && error.name === "GraphDrained",
  };
}

/**
 * Of the copy, and in the module format, that the graphs have loaded: it alone knows what was registered with it.
 * @returns undefined where the version has none
 */
export async function loadDescribe({ folder }: Installed): Promise<Describe | undefined> {
  return await load(LANGGRAPH, folder, "./zod/schema").then(
    (module) => module as Describe,
    () => undefined,
  );
}

/** By Node's own rules, for code in `from`; the real folder, as modules are known by it. */
function packageFolder(name: string, from: string): string | undefined {
  const places = createRequire(join(from, "package.json")).resolve.paths(name) ?? [];
  const folder = places
    .map((place) => join(place, name))
    .find((candidate) => existsSync(join(candidate, "package.json")));
  return folder && realpathSync(folder);
}

function manifest(folder: string): unknown {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

function supported(version: string): boolean {
  const [, major, minor, rest] = /^(\d+)\.(\d+)\.(.*)$/.exec(version) ?? [];
  if (major !== "1") return false;
  return Number(minor) > 4 || (minor === "4" && !rest?.startsWith("0-"));
}

/** A CommonJS project has loaded the package's CommonJS half; its ESM half would be another copy, and memory for two. */
async function load(name: string, folder: string, part = "."): Promise<Record<string, unknown>> {
  const require = createRequire(join(folder, "package.json"));
  if (require.cache[require.resolve(name)]) return require(join(name, part));
  const conditions = Importable.parse(manifest(folder)).exports[part];
  const entry = typeof conditions === "object" ? conditions.import : conditions;
  if (entry === undefined) throw new ProjectError(`${folder} has no ${part}; its installation is not whole`);
  return await import(pathToFileURL(join(folder, typeof entry === "string" ? entry : entry.default)).href);
}

function pick<T>(module: Record<string, unknown>, name: string, folder: string): T {
  const found = module[name];
  if (typeof found !== "function")
    throw new ProjectError(`${folder} doesn't export ${name}; its installation is not whole`);
  return found as T;
}
