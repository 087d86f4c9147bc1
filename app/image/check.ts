/**
 * Loads every graph of a project with the app as the image holds it, so that what can't run fails the build by name, and
 * leaves the graphs' schemas beside langgraph.json.
 *
 *   node --import tsx app/image/check.ts APP PROJECT
 *
 * AGENT_ENVIRONMENT names the variables that only the deployment sets, separated by commas: the stack's `secrets` and
 * `environment`. They get placeholders, because no secret may be part of a build.
 */
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BuildError } from "./packageManager.js";
import { runStep } from "./step.js";

/** @throws BuildError; what is wrong has been written to standard error by then */
export async function checkGraphs(app: string, project: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const deployed = (environment.AGENT_ENVIRONMENT ?? "").split(",").filter(Boolean);
  await withoutEnvFile(join(project, "langgraph.json"));
  const run = (role: string) => runMain([resolve(app, "main.js"), role, ...deployed], project, environment);
  if ((await run("check")) !== 0)
    throw new BuildError(
      "The graphs don't load, so the image is not built. If one needs a variable that only the deployment has, name it " +
        "in the stack's secrets or environment.",
    );
  // Where that fails each server reads them at its start.
  await run("schemas");
}

async function runMain(args: string[], project: string, environment: NodeJS.ProcessEnv): Promise<number | null> {
  const child = spawn(process.execPath, args, {
    cwd: project,
    env: { ...environment, LANGGRAPH_CONFIG_FILE: resolve(project, "langgraph.json") },
    stdio: "inherit",
  });
  return await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}

/** A `.env` file never enters an image, so langgraph.json must not ask for one; a map of variables stays. */
async function withoutEnvFile(file: string): Promise<void> {
  const { env, ...config }: Record<string, unknown> = JSON.parse(await readFile(file, "utf8"));
  if (typeof env === "string") await writeFile(file, `${JSON.stringify(config, null, 2)}\n`);
}

await runStep(import.meta.url, async ([app = ".", project = "."]) => checkGraphs(app, project, process.env));
