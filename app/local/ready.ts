/** What a newcomer reads when everything is up: the `ready` line, and what to try next. */
import { existsSync, readFileSync } from "node:fs";

/**
 * @param config path of the langgraph.json; its first graph, or `writer` where there is one, is what to try
 * @param environment of the roles: it may name graphs, and where the API begins, in place of the file
 * @param needsKey whether requests need an API key
 */
export function readyText(
  url: string,
  config: string,
  environment: Record<string, string | undefined>,
  needsKey: boolean,
): string {
  const project = existsSync(config) ? fields(readFileSync(config, "utf8")) : {};
  const { LANGSERVE_GRAPHS, LANGGRAPH_HTTP, MOUNT_PREFIX } = environment;
  const graphs = Object.keys((LANGSERVE_GRAPHS ? fields(LANGSERVE_GRAPHS) : project.graphs) ?? {});
  const http = LANGGRAPH_HTTP ? fields(LANGGRAPH_HTTP) : project.http;
  const api = url + (MOUNT_PREFIX || http?.mount_prefix || "").replace(/\/$/, "");
  const graph = graphs.includes("writer") ? "writer" : (graphs[0] ?? "writer");
  const body = JSON.stringify({
    assistant_id: graph,
    input: { messages: [{ role: "user", content: "Tell me of trains." }] },
    // Of the bundled writer one sees the words come; what another graph streams beside its state is its own affair.
    stream_mode: graph === "writer" ? "messages-tuple" : "values",
  });
  const page = http?.disable_meta ? "" : `All routes, to try in a browser: ${api}/docs\n`;
  const key = needsKey ? " -H 'x-api-key: YOUR KEY'" : "";
  return `ready ${url}

Try it, in another shell:
  curl -N ${api}/runs/stream -H 'content-type: application/json'${key} \\
    -d '${body}'
${graph === "writer" ? "" : "(its input may be another: it is what the graph's state takes)\n"}${page}Ctrl-C stops everything.
`;
}

interface Fields {
  graphs?: object;
  http?: { mount_prefix?: string; disable_meta?: boolean };
  mount_prefix?: string;
  disable_meta?: boolean;
}

/** The roles have loaded it, so it is well formed. */
function fields(json: string): Fields {
  return JSON.parse(json) ?? {};
}
