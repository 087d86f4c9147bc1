/** The key `graphs`: which graphs there are, and where each one's code is. Nothing is imported. */
import { existsSync } from "node:fs";
import { extname, resolve } from "node:path";
import { z } from "zod";
import { ProjectError } from "./error.js";

export interface GraphSpec {
  id: string;
  /** As langgraph.json names it, for messages: `./agent.ts:graph`. */
  named: string;
  /** Absolute; the compiled file where the named TypeScript is not there. */
  file: string;
  exportName: string;
  description: string | null;
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

const GRAPH_FORM = 'must be "./file.ts:export" or {"path": "./file.ts:export", "description": "…"}';
const Path = z.string(GRAPH_FORM).min(1, GRAPH_FORM);
const Graph = z.union([Path, z.object({ path: Path, description: z.string().nullish() })], GRAPH_FORM);

export const GraphMap = z
  .record(z.string().min(1, "holds an empty graph id"), Graph, "must be a map of graph ids to files")
  .refine((graphs) => Object.keys(graphs).length > 0, 'names no graph; add {"agent": "./agent.ts:graph"}');

/** @throws ProjectError for a file that is not there, or is none that can be loaded */
export function graphSpecs(origin: string, folder: string, graphs: z.infer<typeof GraphMap>): GraphSpec[] {
  return Object.entries(graphs).map(([id, graph]) => graphSpec(origin, folder, id, graph));
}

function graphSpec(origin: string, folder: string, id: string, graph: z.infer<typeof Graph>): GraphSpec {
  const { path: named, description } = typeof graph === "string" ? { path: graph, description: null } : graph;
  const refuse = (problem: string) => new ProjectError(`${origin}: graphs.${id} ${problem}`);
  const colon = named.lastIndexOf(":");
  const path = colon === -1 ? named : named.slice(0, colon);
  const exportName = colon === -1 ? "default" : named.slice(colon + 1);
  if (path === "" || exportName === "") throw refuse(`${GRAPH_FORM}, not "${named}"`);

  const extension = extname(path);
  const compiled = COMPILED[extension];
  if (extension === ".py") throw refuse(`is the Python file ${path}; Switchyard runs graphs of LangGraph.js`);
  if (!compiled) throw refuse(`names ${path}; it must end with one of ${Object.keys(COMPILED).join(", ")}`);

  const source = resolve(folder, path);
  const stem = source.slice(0, -extension.length);
  const file = [source, ...compiled.map((other) => stem + other)].find(existsSync);
  if (!file) throw refuse(`names ${path}, which is not there (looked for ${source})`);
  return { id, named, file, exportName, description: description ?? null };
}
