/**
 * Loads the graphs that a project names, once a process. TypeScript is compiled on the fly by tsx only where a named file
 * is TypeScript: the bundled agents and built images hold JavaScript, and tsx costs a role some 40 MB.
 */
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { stackFrames } from "../telemetry/frames.js";
import type { Log } from "../telemetry/log.js";
import { type GraphDefaults, type GraphSpec, type Project, ProjectError } from "./config.js";
import { type Graph, type GraphConfig, isGraph } from "./graph.js";
import { findLangGraph, loadRuntime, type Runtime } from "./runtime.js";

export { type Graph, type GraphConfig, type StateSnapshot, withCheckpointer } from "./graph.js";
export { type RunControl, type Runtime, toCommand } from "./runtime.js";

export interface Graphs {
  /** In the order of langgraph.json. */
  readonly ids: string[];
  /** The project's own copy of LangGraph. */
  readonly runtime: Runtime;
  readonly timeToLive: Project["timeToLive"];
  has(id: string): boolean;
  /** What the graph is configured with where neither assistant nor request says otherwise. */
  defaults(id: string): GraphDefaults | undefined;
  /** The description that langgraph.json gives the graph. */
  describe(id: string): string | null;
  /**
   * The compiled graph. It is shared, so never change it; a factory is called anew, with `config`.
   * @throws what the factory throws; ProjectError if it makes no graph
   */
  get(id: string, config?: GraphConfig): Promise<Graph>;
}

type Source = { graph: Graph } | { factory: (config: GraphConfig) => unknown };

/**
 * Puts the project's `env` into `process.env` (what is set there wins), then imports its graphs.
 * @throws ProjectError that names the graph: it fails at import, lacks the export, or the export is not a graph
 */
export async function loadGraphs(project: Project, log: Log): Promise<Graphs> {
  for (const warning of project.warnings) log.warn({ event: "project_warning" }, warning);
  const langGraph = findLangGraph(project.folder);
  for (const [name, value] of Object.entries(project.env)) process.env[name] ??= value;

  if (project.graphs.some(({ file }) => /^\.[mc]?tsx?$/.test(extname(file)))) await registerTsx();
  const loaded = new Map<string, { spec: GraphSpec; source: Source }>();
  for (const spec of project.graphs) loaded.set(spec.id, { spec, source: await load(project, spec) });
  const runtime = await loadRuntime(langGraph);
  log.info({ event: "graphs_loaded", graphs: [...loaded.keys()], langgraph: runtime.version }, "graphs loaded");

  const known = (id: string) => {
    const found = loaded.get(id);
    if (!found) throw new Error(`no graph has the id ${id}`);
    return found;
  };
  return {
    ids: [...loaded.keys()],
    runtime,
    timeToLive: project.timeToLive,
    has: (id) => loaded.has(id),
    defaults: (id) => project.defaults.get(id),
    describe: (id) => known(id).spec.description,
    get: async (id, config = {}) => {
      const { spec, source } = known(id);
      if ("graph" in source) return source.graph;
      const made = compiled(await source.factory({ ...config, configurable: config.configurable ?? {} }));
      if (made) return made;
      throw new ProjectError(`${project.file}: graphs.${id}: the function ${spec.named} returned no graph`);
    },
  };
}

/** Both halves: a TypeScript file of a package without `"type": "module"` is CommonJS. */
async function registerTsx(): Promise<void> {
  const [esm, commonJs] = await Promise.all([import("tsx/esm/api"), import("tsx/cjs/api")]);
  esm.register();
  commonJs.register();
}

async function load(project: Project, spec: GraphSpec): Promise<Source> {
  const refuse = (problem: string, cause?: unknown) =>
    new ProjectError(`${project.file}: graphs.${spec.id}: ${spec.named} ${problem}`, { cause });
  const module = await importFile(spec.file).catch((error: unknown) => {
    throw refuse(`failed to load: ${reason(error, project)}`, error);
  });
  const exports = exportsOf(module);
  const named = exports[spec.exportName];
  if (named === undefined)
    throw refuse(`has no export "${spec.exportName}"; it exports ${Object.keys(exports).join(", ") || "nothing"}`);
  if (typeof named === "function") return { factory: (config) => named(config) };
  try {
    const graph = compiled(await named);
    if (graph) return { graph };
  } catch (error) {
    throw refuse(`failed to compile: ${reason(error, project)}`, error);
  }
  throw refuse("is not a graph; export what `.compile()` returns, or a function that returns it");
}

async function importFile(file: string): Promise<Record<string, unknown>> {
  return await import(pathToFileURL(file).href);
}

/** A CommonJS module has its exports on `default`, besides those that Node.js recognises by reading the source. */
function exportsOf(module: Record<string, unknown>): Record<string, unknown> {
  const { default: whole } = module;
  if (typeof whole !== "object" || whole === null) return module;
  if ("__esModule" in whole) return { ...whole };
  return Object.getPrototypeOf(whole) === Object.prototype ? { ...whole, ...module } : module;
}

/** A graph as it is; a builder that was not compiled; or the graph inside what `createAgent` of `langchain` returns. */
function compiled(value: unknown): Graph | undefined {
  if (isGraph(value)) return value;
  if (typeof value !== "object" || value === null) return undefined;
  if ("graph" in value && isGraph(value.graph)) return value.graph;
  if (!("compile" in value) || typeof value.compile !== "function") return undefined;
  const graph: unknown = value.compile();
  return isGraph(graph) ? graph : undefined;
}

/** The message; where in the project it was thrown; and, for a package that is missing, what to do. */
function reason(error: unknown, project: Project): string {
  if (!(error instanceof Error)) return String(error);
  const missing = "code" in error && (error.code === "ERR_MODULE_NOT_FOUND" || error.code === "MODULE_NOT_FOUND");
  const [message = "", ...requiredBy] = error.message.split(/\n(?:Require stack:\n)?/);
  // The compiler counts its errors in the first line, and says in the second which it is and where.
  if (error.name === "TransformError") return `${error.name}: ${requiredBy[0] ?? message}`;
  if (!missing) return `${error.name}: ${message}${placeOf(error, project.folder)}`;
  const importer = message.includes(" imported from ") ? undefined : requiredBy[0]?.replace(/^- /, "");
  const from = importer ? ` imported from ${importer}` : "";
  const isPackage =
    /^Cannot find (?:package|module) '(?![./~@#]|[A-Za-z]:)/.test(message) || /'@[\w-]+\/[\w-]+'/.test(message);
  return `${message}${from}${isPackage ? `; is \`npm install\` done in ${project.folder}?` : ""}`;
}

/** ` (at file:line:column)` of the first frame that is the project's own code. */
function placeOf(error: Error, folder: string): string {
  const own = stackFrames(error).find((line) => line.includes(folder) && !line.includes("node_modules"));
  const place = own && /(?:\(|at )(?:async )?(?:file:\/\/)?([^()]+:\d+:\d+)\)?$/.exec(own)?.[1];
  return place ? ` (at ${place})` : "";
}
