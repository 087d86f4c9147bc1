/**
 * The roles that only look. They load a project as servers and workers do: `check`, so that a graph that can't load stops
 * the build of an image and not a deploy; `schemas`, so that no server does it beside its requests.
 *
 * Many projects make their model where the file is imported, and fail there without its key. A build has no keys and must
 * not get any, so the caller names the variables that only the deployment sets, and each gets a placeholder.
 */
import { existsSync, readFileSync } from "node:fs";
import { type Project, readProject } from "./graphs/config.js";
import { type Graphs, loadGraphs } from "./graphs/load.js";
import { findLangGraph, loadDescribe } from "./graphs/runtime.js";
import { type ProjectSchemas, readSchemas } from "./graphs/schemas.js";
import { readSettings } from "./settings.js";
import { createLog } from "./telemetry/log.js";

const PLACEHOLDER = "placeholder-for-the-check";

/**
 * @param deployed names of variables; those that are set stay as they are
 * @returns a line for each graph, and for each key of langgraph.json without effect
 * @throws ProjectError that names the graph, SettingsError
 */
export async function checkProject(environment: NodeJS.ProcessEnv, deployed: string[]): Promise<string[]> {
  const { project, graphs } = await load(environment, deployed);
  return [...project.warnings.map((text) => `warning ${text}`), ...graphs.ids.map((id) => `graph ${id}`)];
}

/** The JSON schemas of a project's graphs. @throws as `checkProject` */
export async function describeProject(
  environment: NodeJS.ProcessEnv,
  deployed: string[],
): Promise<{ project: Project; schemas: ProjectSchemas }> {
  const { project, graphs } = await load(environment, deployed);
  return { project, schemas: await readSchemas(graphs, await loadDescribe(findLangGraph(project.folder))) };
}

async function load(environment: NodeJS.ProcessEnv, deployed: string[]): Promise<{ project: Project; graphs: Graphs }> {
  // A check needs no Redis, and what is set for the deployment must not decide whether the graphs load.
  const { langgraphConfigFile } = readSettings({
    LANGGRAPH_CONFIG_FILE: environment.LANGGRAPH_CONFIG_FILE,
    REDIS_URL: "redis://127.0.0.1",
  });
  for (const name of deployed) environment[name] ||= PLACEHOLDER;
  const project = withoutEnvFile(readProject(langgraphConfigFile, environment));
  process.chdir(project.folder);
  return { project, graphs: await loadGraphs(project, createLog("silent", { instance: "check", role: "check" })) };
}

/** A `.env` file never enters an image, so what it holds must not help a graph to load; a map of variables does. */
function withoutEnvFile(project: Project): Project {
  // Variables name the graphs: there is no file.
  if (!existsSync(project.file)) return project;
  const { env }: Record<string, unknown> = JSON.parse(readFileSync(project.file, "utf8").replace(/^\uFEFF/, ""));
  return typeof env === "string" ? { ...project, env: {} } : project;
}
