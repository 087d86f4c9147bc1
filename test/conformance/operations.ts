/**
 * The operations of the Agent Server's API and who calls them: every one that its documentation names but crons, MCP,
 * A2A and the event streaming protocol (`/commands`, `/stream/events`), which this server does not have yet.
 */
import type { Call } from "./recorder.js";

/** Whose calls are told apart; `http` are requests of no SDK. */
export type Caller = "js" | "python" | "http";

export interface Operation {
  method: string;
  /** As in OpenAPI: `/threads/{thread_id}`. */
  path: string;
  /** The SDKs that have a method for it. */
  sdks: readonly Exclude<Caller, "http">[];
}

const both = ["js", "python"] as const;
const none = [] as const;

const table: [Operation["sdks"], string][] = [
  [none, "GET /"],
  [none, "GET /ok"],
  [none, "GET /info"],
  [none, "GET /metrics"],
  [none, "GET /docs"],
  [none, "GET /openapi.json"],
  [none, "POST /internal/truncate"],

  [both, "POST /assistants"],
  [both, "POST /assistants/search"],
  [both, "POST /assistants/count"],
  [both, "GET /assistants/{assistant_id}"],
  [both, "PATCH /assistants/{assistant_id}"],
  [both, "DELETE /assistants/{assistant_id}"],
  [both, "GET /assistants/{assistant_id}/graph"],
  [both, "GET /assistants/{assistant_id}/schemas"],
  [both, "GET /assistants/{assistant_id}/subgraphs"],
  [both, "GET /assistants/{assistant_id}/subgraphs/{namespace}"],
  [both, "POST /assistants/{assistant_id}/versions"],
  [both, "POST /assistants/{assistant_id}/latest"],

  [both, "POST /threads"],
  [both, "POST /threads/search"],
  [both, "POST /threads/count"],
  [both, "POST /threads/prune"],
  [both, "GET /threads/{thread_id}"],
  [both, "PATCH /threads/{thread_id}"],
  [both, "DELETE /threads/{thread_id}"],
  [both, "POST /threads/{thread_id}/copy"],
  [none, "GET /threads/{thread_id}/storage"],
  [both, "GET /threads/{thread_id}/state"],
  [both, "POST /threads/{thread_id}/state"],
  [["js"], "PATCH /threads/{thread_id}/state"],
  [both, "GET /threads/{thread_id}/state/{checkpoint_id}"],
  [both, "POST /threads/{thread_id}/state/checkpoint"],
  [none, "GET /threads/{thread_id}/history"],
  [both, "POST /threads/{thread_id}/history"],
  [both, "GET /threads/{thread_id}/stream"],

  [both, "POST /threads/{thread_id}/runs"],
  [both, "POST /threads/{thread_id}/runs/stream"],
  [both, "POST /threads/{thread_id}/runs/wait"],
  [both, "GET /threads/{thread_id}/runs"],
  [both, "GET /threads/{thread_id}/runs/{run_id}"],
  [both, "DELETE /threads/{thread_id}/runs/{run_id}"],
  [both, "GET /threads/{thread_id}/runs/{run_id}/join"],
  [both, "GET /threads/{thread_id}/runs/{run_id}/stream"],
  [both, "POST /threads/{thread_id}/runs/{run_id}/cancel"],
  [both, "POST /runs/cancel"],
  [both, "POST /runs"],
  [both, "POST /runs/stream"],
  [both, "POST /runs/wait"],
  [both, "POST /runs/batch"],
  [["js"], "GET /runs/{run_id}/stream"],

  [both, "PUT /store/items"],
  [both, "GET /store/items"],
  [both, "DELETE /store/items"],
  [both, "POST /store/items/search"],
  [both, "POST /store/namespaces"],

  [none, "POST /ui/{graph_id}"],
  [none, "GET /ui/{graph_id}/{file}"],
];

export const OPERATIONS: readonly Operation[] = table.map(([sdks, name]) => ({ ...parse(name), sdks }));

/** @example "GET /threads/{thread_id}" */
export const nameOf = ({ method, path }: Pick<Operation, "method" | "path">): string => `${method} ${path}`;

export function parse(name: string): Pick<Operation, "method" | "path"> {
  const [method = "", path = ""] = name.split(" ");
  return { method, path };
}

/** Which of these a call was: of two that match, the one that names more of the path. */
export function operationOf(call: Call, known: readonly Pick<Operation, "method" | "path">[]): string | undefined {
  const matching = known.filter(({ method, path }) => method === call.method && patternOf(path).test(call.path));
  const [best] = matching.sort((one, other) => parametersOf(one.path) - parametersOf(other.path));
  return best && nameOf(best);
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/\{[^}]+\}/g, "[^/]+")}/?$`);

const parametersOf = (path: string): number => path.split("{").length - 1;
