/** Of assistants, and of the server itself. */
import type { Intended } from "./entry.js";

export const assistants: Intended[] = [
  {
    operations: ["POST /assistants"],
    about: ["no graph of this name"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such graph; the development server finds out when a run starts",
    source: "reference §1.2: 404 (graph)",
  },
  {
    operations: ["DELETE /assistants/{assistant_id}"],
    path: "**",
    because: "DELETE answers 204 without a body, of whatever; the development server 200 and a list of the id",
    source: "contract, Decided semantics: DELETE: 204",
  },
  {
    operations: ["GET /assistants/{assistant_id}", "POST /assistants/{assistant_id}/latest"],
    path: "body.graph_id",
    because: "a version is used with its graph; the development server keeps the graph of the one before",
    source: "reference §1.2",
  },
  {
    operations: ["POST /assistants/{assistant_id}/versions"],
    path: "body.*.updated_at",
    development: "nothing",
    because: "a version is an Assistant, which has this field",
    source: "reference §1.2",
  },
  {
    operations: ["POST /assistants/search", "POST /threads/search"],
    about: ["page", "as many as there are"],
    path: "headers.x-pagination-*",
    because: "the total is told as it is, and a next page only where there is one",
    source: "reference §1.2: the development server's total is only right where the page is short",
  },
  {
    operations: ["GET /assistants/{assistant_id}/schemas"],
    path: "body.*_schema",
    development: "nothing",
    because: "what a graph does not describe is null; and StateSchema's graphs have a context, which it leaves out",
    source: "docs/api.md, Assistants",
  },
  {
    operations: ["GET /assistants/{assistant_id}/schemas"],
    path: "body.state_schema.required",
    development: "nothing",
    because:
      "the state's schema is that of a state, which has its defaults; the development server shows that of an update",
    source: "docs/decisions/schemas.md",
  },
  {
    operations: ["GET /assistants/{assistant_id}/subgraphs", "GET /assistants/{assistant_id}/subgraphs/{namespace}"],
    path: "body.yard.*",
    because:
      "schemas have the same names as those of an assistant; the development server sends its own words for them",
    source: "reference §1.2: map ns → schemas, as in /schemas",
  },
  {
    operations: ["GET /assistants/{assistant_id}/subgraphs/{namespace}"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such subgraph",
    source: "reference §1.2: 404",
  },
  {
    operations: ["GET /info"],
    path: "body.**",
    because: "each tells its own version; ours traces to no replicas, and has the platform's metadata",
    source: "reference §1.1",
  },
];
