/**
 * The HTTP server of a role `server`: no state of its own, so any of them answers any request. What is true of every
 * answer is decided here, in order: its headers, who may ask (CORS, then the key), the routes, and what becomes of errors.
 */
import { OpenAPIRegistry } from "@asteasolutions/zod-to-openapi";
import type { BaseCheckpointSaver, BaseStore } from "@langchain/langgraph-checkpoint";
import express, { type Express, type RequestHandler } from "express";
import helmet from "helmet";
import { createKeyCheck, presentedKey } from "../auth/apiKeys.js";
import type { Copies } from "../data/copies.js";
import type { Removals } from "../data/removal.js";
import type { StateDrafts } from "../data/stateDrafts.js";
import type { ThreadStorage } from "../data/storage.js";
import type { ThreadSearch } from "../data/threads/search.js";
import type { Threads, ThreadTtl } from "../data/threads.js";
import type { Truncate } from "../data/truncate.js";
import { type HttpConfig, httpConfig } from "../graphs/config/http.js";
import type { Graphs } from "../graphs/load.js";
import type { SchemaSource } from "../graphs/schemaSource.js";
import type { UiFiles } from "../graphs/ui.js";
import type { Settings } from "../settings.js";
import type { Log } from "../telemetry/log.js";
import type { Metrics, Numbers } from "../telemetry/metrics.js";
import { assistantGraphRoutes } from "./assistantGraphs.js";
import { type AssistantsCore, assistantRoutes } from "./assistants.js";
import { takeHeaders } from "./configurableHeaders.js";
import { allowOrigins } from "./cors.js";
import { DOCS_PATHS, docsRoutes } from "./docs.js";
import { answerErrors, HttpError, notFound } from "./errors.js";
import { OpenRequests, refuseOdd } from "./limits.js";
import { createListener, type Listener } from "./listener.js";
import { countRequests, metricsRoutes } from "./metrics.js";
import { OpenAnswers } from "./openAnswers.js";
import { mountedAt, servedParts } from "./parts.js";
import { nameRequest } from "./requestId.js";
import { createResource } from "./resource.js";
import { RunAnswers, type RunsCore } from "./runAnswers.js";
import { runBatchRoutes } from "./runBatch.js";
import { runCancelRoutes } from "./runCancels.js";
import { runRoutes } from "./runs.js";
import { statelessRunRoutes } from "./statelessRuns.js";
import { StateUpdates, stateUpdateRoutes } from "./stateUpdates.js";
import { type StoreItems, storeRoutes } from "./store.js";
import { systemRoutes } from "./system.js";
import { threadCopyRoutes } from "./threadCopies.js";
import { threadPatchRoutes } from "./threadPatch.js";
import { threadSearchRoutes } from "./threadSearch.js";
import { createThreadStates } from "./threadStates.js";
import { threadStreamRoutes } from "./threadStream.js";
import { threadRoutes } from "./threads.js";
import { truncateRoutes } from "./truncate.js";
import { isUiFile, uiRoutes } from "./ui.js";

export interface ServerDeps {
  settings: Pick<
    Settings,
    | "port"
    | "apiKeyHashes"
    | "allowAnonymous"
    | "corsAllowOrigins"
    | "limits"
    | "mountPrefix"
    | "truncateRoute"
    | "sseHeartbeatMs"
    | "httpKeepAliveTimeoutMs"
    | "drainSeconds"
    | "instanceName"
    | "servedByHeader"
  >;
  log: Log;
  /** Asked by `/ok?check_db=1` alone. */
  redis: { ping(): Promise<string> };
  runs: RunsCore;
  threads: Pick<Threads, "create" | "get" | "change" | "refresh">;
  threadSearch: Pick<ThreadSearch, "find" | "count">;
  removals: Pick<Removals, "deleteThread" | "deleteRun" | "prune">;
  copies: Pick<Copies, "copy">;
  storage: Pick<ThreadStorage, "measure">;
  assistants: AssistantsCore;
  schemas: Pick<SchemaSource, "of">;
  graphs: Pick<Graphs, "has" | "get"> & { runtime: Pick<Graphs["runtime"], "version" | "Command" | "Send"> };
  checkpointer: BaseCheckpointSaver;
  drafts: Pick<StateDrafts, "open" | "openNew">;
  /** For the code of graphs that runs here, where states are written. */
  store?: BaseStore;
  items: StoreItems;
  /** What langgraph.json says of the API; not given: nothing. */
  http?: HttpConfig;
  /** The components of the project; not given: none. */
  ui?: UiFiles;
  /** Of threads that are made without one. */
  threadTtl?: ThreadTtl | undefined;
  /** Asked where `truncateRoute` is set. */
  truncate: Truncate;
  metrics: Metrics;
  /** Runs by state, in all of the deployment. */
  queueDepth: () => Promise<Numbers>;
}

export interface HttpServer extends Listener {
  readonly app: Express;
}

/** Never asked for a key: whether it is well, what it is, and how to ask; files that a page loads. */
const WITHOUT_KEY = new Set(["/ok", "/info", "/openapi.json", ...DOCS_PATHS]);
const needsNoKey = (path: string) => WITHOUT_KEY.has(path) || isUiFile(path);

export function createServer(deps: ServerDeps): HttpServer {
  const open = new OpenAnswers(deps.settings.sseHeartbeatMs);
  const app = createApp(deps, open);
  return { app, ...createListener(app, open, deps) };
}

function createApp(deps: ServerDeps, open: OpenAnswers): Express {
  const { settings, log, runs, threads, removals, assistants, graphs, checkpointer } = deps;
  const { http = httpConfig("", undefined), threadTtl } = deps;
  const mountPrefix = settings.mountPrefix ?? http.mountPrefix;
  const app = express();
  app.set("etag", false);
  app.enable("case sensitive routing");
  app.use(nameRequest);
  app.use(countRequests(deps.metrics, open));
  if (settings.servedByHeader) app.use(nameServer(settings.instanceName));
  app.use(helmet());
  app.use(refuseOdd(settings.limits));
  app.use(allowOrigins(settings.corsAllowOrigins, http.cors));
  app.use(mountedAt(mountPrefix));
  app.use(requireKey(settings.apiKeyHashes));
  app.use(takeHeaders(http.configurableHeaders));

  const registry = new OpenAPIRegistry();
  const states = createThreadStates({ graphs, checkpointer, log });
  const updates = new StateUpdates({ graphs, drafts: deps.drafts, store: deps.store, log });
  const keyed = settings.apiKeyHashes.length > 0;
  const requests = new OpenRequests(settings.limits, keyed);
  const resource = servedParts(createResource(app, registry, settings.limits, requests), http.disabled);
  const currentValues = async (threadId: string) => {
    const thread = await threads.get(threadId);
    const newest = thread && (await states.newest(thread));
    // `null` is a thread without a checkpoint.
    return newest?.valuesJson === "null" ? undefined : newest?.valuesJson;
  };
  const answers = new RunAnswers({ runs, currentValues, open, log });
  const langgraphVersion = graphs.runtime.version;
  systemRoutes(resource, { redis: deps.redis, registry, langgraphVersion, keyed, mountPrefix });
  assistantRoutes(resource, assistants);
  assistantGraphRoutes(resource, { assistants, graphs, schemas: deps.schemas });
  threadSearchRoutes(resource, { search: deps.threadSearch, threads, states });
  threadPatchRoutes(resource, { threads, states });
  threadRoutes(resource, { threads, removals, states, updates, threadTtl });
  stateUpdateRoutes(resource, { threads, updates });
  runRoutes(resource, { runs, threads, removals, assistants, answers, states });
  runCancelRoutes(resource, { runs, answers });
  runBatchRoutes(resource, { assistants, runs, log });
  threadStreamRoutes(resource, { runs, threads, states, currentValues, open, log });
  threadCopyRoutes(resource, { threads, removals, copies: deps.copies, storage: deps.storage, states });
  statelessRunRoutes(resource, { assistants, answers });
  storeRoutes(resource, deps.items);
  uiRoutes(resource, { files: deps.ui ?? new Map(), mountPrefix });
  if (settings.truncateRoute) truncateRoutes(resource, deps.truncate);
  if (!http.disabled.has("meta")) docsRoutes(app, resource, mountPrefix);
  metricsRoutes(resource, { metrics: deps.metrics, open, requests, queueDepth: deps.queueDepth });

  app.use((request) => {
    throw notFound(`${request.method} ${request.path}`);
  });
  app.use(answerErrors(log));
  return app;
}

function nameServer(instanceName: string): RequestHandler {
  return (_request, response, next) => {
    response.setHeader("x-served-by", instanceName);
    next();
  };
}

function requireKey(hashes: readonly string[]): RequestHandler {
  const isKnown = createKeyCheck(hashes);
  return (request, _response, next) => {
    if ((request.method === "GET" || request.method === "HEAD") && needsNoKey(request.path)) return next();
    const key = presentedKey(request.headers);
    if (isKnown(key)) return next();
    // The SDKs send the key of another service, where they find one in the environment.
    const sentence = key === undefined ? "send an API key in x-api-key" : "the API key is none of this deployment's";
    throw new HttpError(401, sentence, { "WWW-Authenticate": "Bearer" });
  };
}
