/** What a newcomer reads when everything is up: the `ready` line, and what to try next. */
import { readFileSync } from "node:fs";

/**
 * @param config path of the langgraph.json; its first graph, or `writer` where there is one, is what to try
 * @param needsKey whether requests need an API key
 */
export function readyText(url: string, config: string, needsKey: boolean): string {
  const graphs = graphIds(config);
  const graph = graphs.includes("writer") ? "writer" : (graphs[0] ?? "writer");
  const body = JSON.stringify({
    assistant_id: graph,
    input: { messages: [{ role: "user", content: "Tell me of trains." }] },
    // Of the bundled writer one sees the words come; what another graph streams beside its state is its own affair.
    stream_mode: graph === "writer" ? "messages-tuple" : "values",
  });
  const key = needsKey ? " -H 'x-api-key: YOUR KEY'" : "";
  return `ready ${url}

Try it, in another shell:
  curl -N ${url}/runs/stream -H 'content-type: application/json'${key} \\
    -d '${body}'
${graph === "writer" ? "" : "(its input may be another: it is what the graph's state takes)\n"}All routes: ${url}/openapi.json
Ctrl-C stops everything.
`;
}

/** The roles have loaded this file, so it is well formed. */
function graphIds(config: string): string[] {
  const project: unknown = JSON.parse(readFileSync(config, "utf8"));
  const graphs = typeof project === "object" && project !== null && "graphs" in project ? project.graphs : {};
  return Object.keys(graphs ?? {});
}
