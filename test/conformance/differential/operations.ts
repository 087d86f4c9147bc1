/** What the reference has in §1.1–1.5 and §1.7 and the development server implements: each must succeed once and be refused once. */
import type { Exchange } from "./exchange.js";
import { MODES } from "./scenarios/streams.js";

/** These take nothing that could be wrong. */
const NEVER_REFUSED = ["GET /ok", "GET /info"];

export const OPERATIONS = [
  ...NEVER_REFUSED,
  "POST /internal/truncate",
  "POST /assistants",
  "POST /assistants/search",
  "POST /assistants/count",
  "GET /assistants/{assistant_id}",
  "PATCH /assistants/{assistant_id}",
  "DELETE /assistants/{assistant_id}",
  "GET /assistants/{assistant_id}/graph",
  "GET /assistants/{assistant_id}/schemas",
  "GET /assistants/{assistant_id}/subgraphs",
  "GET /assistants/{assistant_id}/subgraphs/{namespace}",
  "POST /assistants/{assistant_id}/versions",
  "POST /assistants/{assistant_id}/latest",
  "POST /threads",
  "POST /threads/search",
  "POST /threads/count",
  "GET /threads/{thread_id}",
  "PATCH /threads/{thread_id}",
  "DELETE /threads/{thread_id}",
  "POST /threads/{thread_id}/copy",
  "GET /threads/{thread_id}/state",
  "POST /threads/{thread_id}/state",
  "GET /threads/{thread_id}/state/{checkpoint_id}",
  "POST /threads/{thread_id}/state/checkpoint",
  "GET /threads/{thread_id}/history",
  "POST /threads/{thread_id}/history",
  "POST /threads/{thread_id}/runs",
  "POST /threads/{thread_id}/runs/stream",
  "POST /threads/{thread_id}/runs/wait",
  "GET /threads/{thread_id}/runs",
  "GET /threads/{thread_id}/runs/{run_id}",
  "DELETE /threads/{thread_id}/runs/{run_id}",
  "GET /threads/{thread_id}/runs/{run_id}/join",
  "GET /threads/{thread_id}/runs/{run_id}/stream",
  "POST /threads/{thread_id}/runs/{run_id}/cancel",
  "POST /runs",
  "POST /runs/stream",
  "POST /runs/wait",
  "POST /runs/batch",
  "GET /runs/{run_id}/stream",
  "PUT /store/items",
  "GET /store/items",
  "DELETE /store/items",
  "POST /store/items/search",
  "POST /store/namespaces",
];

/** Sentences about operations and modes that no scenario has asked for, or whose answers can't have been compared. */
export function uncovered(exchanges: [theirs: Exchange, ours: Exchange][]): string[] {
  const of = (operation: string, isSo: (theirs: number, ours: number) => boolean) =>
    exchanges.some(([theirs, ours]) => theirs.operation === operation && isSo(theirs.status, ours.status));
  const unknown = [...new Set(exchanges.map(([{ operation }]) => operation))].filter(
    (operation) => !OPERATIONS.includes(operation),
  );
  return [
    ...unknown.map((operation) => `${operation} is not in the list of operations`),
    ...OPERATIONS.filter((operation) => !of(operation, (theirs, ours) => theirs < 400 && ours < 400)).map(
      (operation) => `${operation} has never succeeded on both sides`,
    ),
    ...OPERATIONS.filter(
      (operation) =>
        !NEVER_REFUSED.includes(operation) && !of(operation, (theirs, ours) => theirs >= 400 || ours >= 400),
    ).map((operation) => `${operation} has never been refused`),
    ...MODES.filter((mode) => !exchanges.some((sides) => sides.every((side) => hasStreamed(side, mode)))).map(
      (mode) => `no event of stream mode ${mode} was compared`,
    ),
    ...MODES.filter(
      (mode) => !exchanges.some(([{ about, events }]) => about === `${mode} with subgraphs` && events),
    ).map((mode) => `stream mode ${mode} was never streamed with subgraphs`),
  ];
}

/** In a stream of this mode alone. */
function hasStreamed({ about, events = [] }: Exchange, mode: string): boolean {
  const name = mode === "messages-tuple" ? "messages" : mode;
  return about.startsWith(`${mode} of `) && events.some(({ event }) => event.startsWith(name));
}
