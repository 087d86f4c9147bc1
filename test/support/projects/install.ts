/**
 * Projects of users, as they have them on their machines: `project/` with its own node_modules, once on the oldest
 * LangGraph that we support and once on the newest. Installed into node_modules/.cache under a hash of all that goes in,
 * so that a second run is quick and a changed fixture is another folder.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const DEPENDENCIES = {
  oldest: { "@langchain/langgraph": "1.4.0", "@langchain/core": "1.1.48", zod: "4.6.7" },
  newest: { "@langchain/langgraph": "1.7.3", "@langchain/core": "1.4.0", zod: "4.6.7" },
};

export type ProjectName = keyof typeof DEPENDENCIES;

const SOURCE = fileURLToPath(new URL("./project", import.meta.url));
const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/projects", import.meta.url));

/** @returns its folder, which holds langgraph.json; other tests use it too, so write nothing into it */
export async function installProject(name: ProjectName): Promise<string> {
  const manifest = JSON.stringify({ private: true, type: "module", dependencies: DEPENDENCIES[name] });
  const folder = join(CACHE, `${name}-${await hashOf(manifest)}`);
  if (existsSync(folder)) return folder;

  // Made aside and renamed: another process that asks at the same time sees all of it or nothing.
  await mkdir(dirname(folder), { recursive: true });
  const aside = await mkdtemp(`${folder}.`);
  await cp(SOURCE, aside, { recursive: true });
  await writeFile(join(aside, "package.json"), manifest);
  // Without `"type": "module"`: what is TypeScript there becomes CommonJS.
  await writeFile(join(aside, "commonjs/package.json"), "{}");
  const options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"];
  await promisify(execFile)("npm", ["install", ...options], { cwd: aside });
  try {
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

async function hashOf(manifest: string): Promise<string> {
  const hash = createHash("sha256").update(manifest);
  const files = await readdir(SOURCE, { recursive: true, withFileTypes: true });
  const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  for (const path of paths.sort()) hash.update(path).update(await readFile(path));
  return hash.digest("hex").slice(0, 16);
}
