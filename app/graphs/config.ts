/**
 * langgraph.json: which graphs a project has, where each one's code is, and how they are served. Read and checked before
 * anything is imported, so that a wrong file is one sentence at start and not a stack trace later.
 *
 * Three kinds of keys: those that Switchyard acts on (a file each in `config/`); those that change who may read what
 * (`auth`, `encryption`) or what there is (`http.app`), which it refuses rather than leave them out; and all others, which
 * are named in `warnings`.
 */
import { z } from "zod";
import { defaultsWarnings, type GraphDefaults, graphDefaults } from "./config/defaults.js";
import { Env, readEnv, unsetNames } from "./config/env.js";
import { ProjectError } from "./config/error.js";
import { GraphMap, type GraphSpec, graphSpecs } from "./config/graphs.js";
import { Http, type HttpConfig, httpConfig, httpWarnings } from "./config/http.js";
import { refuseKeys, unusedKeys } from "./config/keys.js";
import { type Environment, readSource, type Source } from "./config/source.js";
import {
  Checkpointer,
  type DefaultThreadTtl,
  type ItemTtl,
  itemTtl,
  Store,
  threadTtl,
  ttlWarnings,
} from "./config/ttl.js";
import { Ui, type UiConfig, UiSettings, uiConfig } from "./config/ui.js";
import { type WebhookConfig, Webhooks, webhookConfig, webhookWarnings } from "./config/webhooks.js";

export { type DefaultThreadTtl, type GraphDefaults, type GraphSpec, type HttpConfig, ProjectError };

export interface Project {
  /** Absolute path of langgraph.json; where variables name the graphs it may not be there. */
  file: string;
  /** Where paths in it start, and where the project's own packages are found. */
  folder: string;
  graphs: GraphSpec[];
  /** By graph id, under what assistants and requests say. */
  defaults: ReadonlyMap<string, GraphDefaults>;
  timeToLive: ItemTtl;
  /** Of threads that are made without one. */
  threadTtl: DefaultThreadTtl | undefined;
  http: HttpConfig;
  webhooks: WebhookConfig;
  ui: UiConfig;
  /** For `process.env`; what is set there wins. */
  env: Record<string, string>;
  /** One sentence for each key that has no effect here. */
  warnings: string[];
}

const NODE_FORM = 'must be a major version of Node.js such as "20"';
const Config = z.object({
  graphs: GraphMap,
  env: Env.nullish(),
  node_version: z.string(NODE_FORM).regex(/^\d+$/, NODE_FORM).nullish(),
  store: Store.nullish(),
  checkpointer: Checkpointer.nullish(),
  http: Http.nullish(),
  webhooks: Webhooks.nullish(),
  ui: Ui.nullish(),
  ui_config: UiSettings.nullish(),
});

/**
 * Reads and checks a project's configuration. The graphs' files must be there; nothing is imported.
 * @param configFile relative to the working directory, or absolute
 * @param environment where LangGraph's images have the keys
 * @throws ProjectError
 */
export function readProject(configFile: string, environment: Environment = {}): Project {
  const source = readSource(configFile, environment);
  refuseKeys(source, environment);
  const { file, folder, json, originOf } = source;
  const config = parse(source);
  const { env, node_version: nodeVersion, store, checkpointer } = config;
  const http = httpConfig(originOf("http"), config.http);
  const webhooks = webhookConfig(originOf("webhooks"), config.webhooks);
  const graphs = graphSpecs(originOf("graphs"), folder, config.graphs);
  const defaults = graphDefaults(environment);
  return {
    file,
    folder,
    graphs,
    defaults,
    timeToLive: itemTtl(store),
    threadTtl: threadTtl(originOf("checkpointer"), checkpointer),
    http,
    webhooks,
    ui: uiConfig(originOf("ui"), config.ui, config.ui_config),
    env: readEnv(file, folder, env),
    warnings: [
      ...unusedKeys(json),
      ...otherNode(nodeVersion),
      ...unsetNames(env, process.env),
      ...ttlWarnings(store, checkpointer),
      ...httpWarnings(json.http, config.http),
      ...webhookWarnings(json.webhooks, webhooks),
      ...defaultsWarnings(
        defaults,
        graphs.map(({ id }) => id),
      ),
    ].map((text) => `${file}: ${text}`),
  };
}

/** @throws ProjectError with the first thing that is wrong */
function parse({ json, originOf }: Source): z.infer<typeof Config> {
  const parsed = Config.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join(".") ?? "";
  const message = (issue?.code === "invalid_key" ? issue.issues[0] : issue)?.message ?? "is not valid";
  throw new ProjectError(`${originOf(String(issue?.path[0]))}: ${path} ${message}`);
}

function otherNode(wanted: string | null | undefined): string[] {
  const [found] = process.versions.node.split(".");
  return wanted == null || wanted === found ? [] : [`node_version is ${wanted}, this is Node.js ${found}`];
}
