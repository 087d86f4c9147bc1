/**
 * Installs a user's project as its authors would: their package manager, their lock file, their versions, without what is
 * only for development.
 *
 *   node --import tsx app/image/install.ts FOLDER [CPU]
 *
 * CPU (`amd64` or `arm64`, as Docker names it) is that of the tasks. Where the image is built on another one, the packages
 * are first installed for this machine, so that the graphs can be loaded and checked, and with CPU once more.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BuildError, installCommand } from "./packageManager.js";
import { runStep } from "./step.js";

const CPUS: Record<string, string> = { amd64: "x64", arm64: "arm64" };

/** Secrets, and what an installation here makes anew; nobody needs them in an image. */
const isLeftOut = (name: string) => name === "node_modules" || name === ".git" || name.startsWith(".env");

/** Scripts of the project itself that prepare its development (husky, a build), with tools that are not installed. */
const SCRIPTS_OF_DEVELOPMENT = ["prepare", "prepublish"];

/** @throws BuildError */
export async function installProject(folder: string, environment: NodeJS.ProcessEnv): Promise<void> {
  if (!existsSync(join(folder, "package.json")))
    throw new BuildError(`there is no package.json beside langgraph.json; run npm init there and install LangGraph`);
  await leaveOut(folder);
  await dropScripts(join(folder, "package.json"));
  await logIn(folder, environment);
  await run(folder, environment, undefined);
}

/** Installs once more where the tasks run on another CPU. @param target as Docker names it */
export async function installFor(target: string, folder: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const cpu = CPUS[target];
  if (cpu === undefined)
    throw new BuildError(`there is no image for ${target}; it must be one of ${Object.keys(CPUS)}`);
  if (cpu === process.arch) return;
  await rm(join(folder, "node_modules"), { recursive: true, force: true });
  await run(folder, environment, cpu);
}

async function leaveOut(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (isLeftOut(entry.name)) await rm(path, { recursive: true });
    else if (entry.isDirectory()) await leaveOut(path);
  }
}

async function dropScripts(file: string): Promise<void> {
  const manifest: { scripts?: Record<string, string> } = JSON.parse(await readFile(file, "utf8"));
  if (!SCRIPTS_OF_DEVELOPMENT.some((name) => manifest.scripts?.[name])) return;
  const scripts = Object.entries(manifest.scripts ?? {}).filter(([name]) => !SCRIPTS_OF_DEVELOPMENT.includes(name));
  await writeFile(file, JSON.stringify({ ...manifest, scripts: Object.fromEntries(scripts) }, null, 2));
}

/** The token stays in the environment: the file only says where it belongs, unless the project's own does. */
async function logIn(folder: string, environment: NodeJS.ProcessEnv): Promise<void> {
  if (!environment.NPM_TOKEN) return;
  const file = join(folder, ".npmrc");
  const own = existsSync(file) ? await readFile(file, "utf8") : "";
  if (!own.includes("NPM_TOKEN")) await appendFile(file, `\n//registry.npmjs.org/:_authToken=\${NPM_TOKEN}\n`);
}

async function run(folder: string, environment: NodeJS.ProcessEnv, cpu: string | undefined): Promise<void> {
  const command = installCommand(folder, cpu);
  const child = spawn(command.program, command.args, {
    cwd: folder,
    env: {
      ...environment,
      ...(environment.NPM_TOKEN && { YARN_NPM_AUTH_TOKEN: environment.NPM_TOKEN }),
      ...command.environment,
    },
    stdio: "inherit",
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new BuildError(`${command.program} ${command.args.join(" ")} failed; what it said is above`);
}

await runStep(import.meta.url, async ([folder = ".", target]) => {
  if (target === undefined) await installProject(folder, process.env);
  else await installFor(target, folder, process.env);
});
