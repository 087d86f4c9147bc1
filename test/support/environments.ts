/**
 * Packages that only a suite needs, each set in an environment of its own outside git, made once: a virtual environment
 * of Python's, or a folder with node_modules.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const MOST_OUTPUT = { maxBuffer: 64 * 1024 * 1024 };

/** Something that this machine lacks, and how to get it. */
export class MissingError extends Error {
  override name = "MissingError";
}

export interface Wanted {
  cache: string;
  /** @example ["langgraph-sdk==0.4.14"] or ["@langchain/langgraph-sdk@0.0.1"] */
  packages: string[];
  /** Told before anything that takes long. */
  say(line: string): void;
}

/** @returns the path of its Python @throws MissingError where there is no Python, or no package registry */
export async function pythonWith({ cache, packages, say }: Wanted): Promise<string> {
  const home = folderOf(cache, "python", packages);
  const python = join(home, "bin", "python");
  if (existsSync(join(home, "installed"))) return python;
  say(`installing ${packages.join(", ")} from PyPI (once)`);
  await mkdir(cache, { recursive: true });
  await orMissing("Python 3.9 or newer with venv is needed (apt-get install python3-venv)", () =>
    run("python3", ["-m", "venv", "--clear", home]),
  );
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await orMissing(`${packages.join(", ")} could not be installed from the Python package index`, () =>
    run(python, [...pip, ...packages], MOST_OUTPUT),
  );
  await writeFile(join(home, "installed"), "");
  return python;
}

/** @returns the folder that holds its node_modules @throws MissingError where there is no package registry */
export async function nodeWith({ cache, packages, say }: Wanted): Promise<string> {
  const home = folderOf(cache, "node", packages);
  if (existsSync(join(home, "installed"))) return home;
  say(`installing ${packages.join(", ")} from npm (once)`);
  await mkdir(home, { recursive: true });
  await writeFile(join(home, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"];
  await orMissing(`${packages.join(", ")} could not be installed from npm`, () =>
    run("npm", ["install", ...options, ...packages], { cwd: home, ...MOST_OUTPUT }),
  );
  await writeFile(join(home, "installed"), "");
  return home;
}

function folderOf(cache: string, kind: string, packages: string[]): string {
  const hash = createHash("sha256").update(packages.join("\n")).digest("hex").slice(0, 12);
  return join(cache, `${kind}-${hash}`);
}

async function orMissing(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new MissingError(`${what}: ${error instanceof Error ? error.message.trim() : String(error)}`);
  }
}
