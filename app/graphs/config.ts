/**
 * langgraph.json: which graphs a project has and where each one's code is. Read and checked before anything is imported,
 * so that a wrong file is one sentence at start and not a stack trace later.
 *
 * Three kinds of keys: those that Switchyard acts on; those that change who may read what (`auth`, `encryption`), which
 * it refuses rather than leave them out; and all others, which are named in `warnings`.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { parseEnv } from "node:util";
import { z } from "zod";
import { ProjectError } from "./config/error.js";
import { Http, type HttpConfig, httpConfig } from "./config/http.js";
import { type WebhookConfig, Webhooks, webhookConfig, webhookWarnings } from "./config/webhooks.js";

export { ProjectError };

export interface GraphSpec {
  id: string;
  /** As langgraph.json names it, for messages: `./agent.ts:graph`. */
  named: string;
  /** Absolute; the compiled file where the named TypeScript is not there. */
  file: string;
  exportName: string;
  description: string | null;
}

export interface Project {
  /** Absolute path of langgraph.json. */
  file: string;
  /** Where paths in it start, and where the project's own packages are found. */
  folder: string;
  graphs: GraphSpec[];
  /** Of store items; a default is for those that are put without one. */
  timeToLive: { defaultMs: number | undefined; refreshOnRead: boolean };
  http: HttpConfig;
  webhooks: WebhookConfig;
  /** For `process.env`; what is set there wins. */
  env: Record<string, string>;
  /** One sentence for each key that has no effect here. */
  warnings: string[];
}

/** Extensions of what can be loaded, with those that a compiler writes beside the source, the likeliest first. */
const COMPILED: Record<string, string[]> = {
  ".ts": [".js", ".mjs", ".cjs"],
  ".tsx": [".js", ".mjs", ".cjs"],
  ".mts": [".mjs"],
  ".cts": [".cjs"],
  ".js": [],
  ".mjs": [],
  ".cjs": [],
};

const REFUSED: Record<string, string> = {
  auth: "its rules would not be applied, and everybody with an API key would see everything",
  encryption: "nothing would be encrypted",
};
const OF_PYTHON = ["python_version", "pip_config_file", "pip_installer", "source", "keep_pkg_tools"];
const OF_THE_IMAGE = [
  "dockerfile_lines",
  "base_image",
  "image_distro",
  "api_version",
  "docker_compose_file",
  "_INTERNAL_docker_tag",
];
const UNDERSTOOD = ["$schema", "graphs", "env", "node_version", "store", "http", "webhooks"];

const GRAPH_FORM = 'must be "./file.ts:export" or {"path": "./file.ts:export", "description": "…"}';
const Path = z.string(GRAPH_FORM).min(1, GRAPH_FORM);
const Graph = z.union([Path, z.object({ path: Path, description: z.string().optional() })], GRAPH_FORM);
const ENV_FORM = 'must be a file such as ".env", or a map of names to texts';
const NODE_FORM = 'must be a major version of Node.js such as "20"';
const MOST_MINUTES = 52_560_000;
const TTL_FORM = `must be a number of minutes above 0, at most ${MOST_MINUTES}`;
const STORE_FORM = 'must be an object such as {"ttl": {"default_ttl": 60}}';
const Store = z.object(
  {
    index: z.unknown().optional(),
    ttl: z
      .object(
        {
          default_ttl: z.number(TTL_FORM).gt(0, TTL_FORM).max(MOST_MINUTES, TTL_FORM).nullish(),
          refresh_on_read: z.boolean("must be true or false").nullish(),
        },
        STORE_FORM,
      )
      .nullish(),
  },
  STORE_FORM,
);
const Config = z.object(
  {
    graphs: z
      .record(z.string().min(1), Graph, "must be a map of graph ids to files")
      .refine((graphs) => Object.keys(graphs).length > 0, 'names no graph; add {"agent": "./agent.ts:graph"}'),
    env: z.union([z.string(), z.array(z.string()), z.record(z.string(), z.string())], ENV_FORM).optional(),
    node_version: z.string(NODE_FORM).regex(/^\d+$/, NODE_FORM).optional(),
    store: Store.nullish(),
    http: Http.nullish(),
    webhooks: Webhooks.nullish(),
  },
  'must be an object such as {"graphs": {"agent": "./agent.ts:graph"}}',
);

/**
 * Reads and checks langgraph.json. The graphs' files must be there; nothing is imported.
 * @param configFile relative to the working directory, or absolute
 * @throws ProjectError
 */
export function readProject(configFile: string): Project {
  const file = resolve(configFile);
  const folder = dirname(file);
  const json = parse(file);
  const refused = Object.keys(REFUSED).find((key) => json[key] !== undefined);
  if (refused)
    throw new ProjectError(
      `${file}: "${refused}" is not supported: ${REFUSED[refused]}; take the key out to go on without it`,
    );

  const config = Config.safeParse(json);
  if (!config.success) throw new ProjectError(`${file}: ${firstIssue(config.error)}`);
  const { graphs, env, node_version: nodeVersion, store } = config.data;
  const webhooks = webhookConfig(file, config.data.webhooks);
  return {
    file,
    folder,
    graphs: Object.entries(graphs).map(([id, graph]) => graphSpec(file, id, graph)),
    timeToLive: {
      defaultMs: store?.ttl?.default_ttl ? Math.max(1, Math.round(store.ttl.default_ttl * 60_000)) : undefined,
      refreshOnRead: store?.ttl?.refresh_on_read ?? true,
    },
    http: httpConfig(config.data.http),
    webhooks,
    env: readEnv(file, env),
    warnings: [
      ...unusedKeys(json),
      ...otherNode(nodeVersion),
      ...unsetNames(env),
      ...unrankedSearch(store),
      ...webhookWarnings(webhooks),
    ].map((text) => `${file}: ${text}`),
  };
}

function parse(file: string): Record<string, unknown> {
  const text = readText(file, `${file} is not there; name your langgraph.json with --config or LANGGRAPH_CONFIG_FILE`);
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return { ...json };
  } catch (error) {
    throw new ProjectError(`${file} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new ProjectError(`${file} must be an object such as {"graphs": {"agent": "./agent.ts:graph"}}`);
}

function readText(file: string, missing: string): string {
  try {
    return readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") throw new ProjectError(missing);
    throw new ProjectError(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  const key = issue?.path.join(".") || "the file";
  const message = issue?.code === "invalid_key" ? "holds an empty graph id" : (issue?.message ?? "is not valid");
  return `${key} ${message}`;
}

function graphSpec(configFile: string, id: string, graph: z.infer<typeof Graph>): GraphSpec {
  const { path: named, description = null } = typeof graph === "string" ? { path: graph } : graph;
  const refuse = (problem: string) => new ProjectError(`${configFile}: graphs.${id} ${problem}`);
  const colon = named.lastIndexOf(":");
  const path = colon === -1 ? named : named.slice(0, colon);
  const exportName = colon === -1 ? "default" : named.slice(colon + 1);
  if (path === "" || exportName === "") throw refuse(`${GRAPH_FORM}, not "${named}"`);

  const extension = extname(path);
  const compiled = COMPILED[extension];
  if (extension === ".py") throw refuse(`is the Python file ${path}; Switchyard runs graphs of LangGraph.js`);
  if (!compiled) throw refuse(`names ${path}; it must end with one of ${Object.keys(COMPILED).join(", ")}`);

  const source = resolve(dirname(configFile), path);
  const stem = source.slice(0, -extension.length);
  const file = [source, ...compiled.map((other) => stem + other)].find(existsSync);
  if (!file) throw refuse(`names ${path}, which is not there (looked for ${source})`);
  return { id, named, file, exportName, description };
}

function readEnv(configFile: string, env: z.infer<typeof Config>["env"]): Record<string, string> {
  if (env === undefined || Array.isArray(env)) return {};
  if (typeof env !== "string") return env;
  const file = resolve(dirname(configFile), env);
  const parsed = parseEnv(readText(file, `${configFile}: env names ${env}, which is not there (looked for ${file})`));
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, value ?? ""]));
}

function unusedKeys(json: Record<string, unknown>): string[] {
  return (
    Object.keys(json)
      // JavaScript projects carry it, too, as `["."]`, and mean nothing by it.
      .filter((key) => !UNDERSTOOD.includes(key) && key !== "dependencies")
      .map((key) => {
        if (OF_PYTHON.includes(key)) return `"${key}" is for Python graphs and has no effect`;
        if (OF_THE_IMAGE.includes(key)) return `"${key}" is for other image builds and has no effect`;
        return `"${key}" is not supported and has no effect`;
      })
  );
}

function otherNode(wanted: string | undefined): string[] {
  const [found] = process.versions.node.split(".");
  return wanted === undefined || wanted === found ? [] : [`node_version is ${wanted}, this is Node.js ${found}`];
}

function unrankedSearch(store: z.infer<typeof Store> | null | undefined): string[] {
  if (store?.index == null) return [];
  return ['"store.index" is not supported: a search with a query finds the latest items, not the nearest in meaning'];
}

/** `env` as a list only names what the environment must bring. */
function unsetNames(env: z.infer<typeof Config>["env"]): string[] {
  if (!Array.isArray(env)) return [];
  return env.filter((name) => process.env[name] === undefined).map((name) => `env names ${name}, which is not set`);
}
