/** Programs from the Python package index, each in a virtual environment of its own, made once for each version. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Something that this machine lacks, and how to get it. */
export class PythonMissing extends Error {
  override name = "PythonMissing";
}

export interface PythonTool {
  name: string;
  version: string;
  /** What is to be installed, with exact versions. @example ["schemathesis==4.32.5"] */
  packages: string[];
}

/**
 * @param cache folder for what is installed
 * @param say told before anything that takes long
 * @returns the folder of its programs, `python` among them
 * @throws PythonMissing where there is no Python, or no package index
 */
export async function installPythonTool(
  { name, version, packages }: PythonTool,
  cache: string,
  say: (line: string) => void,
): Promise<string> {
  const home = join(cache, `${name}-${version}`);
  const [programs, done] = [join(home, "bin"), join(home, "installed")];
  if (existsSync(done)) return programs;
  say(`installing ${name} ${version} (once, about half a minute)`);
  mkdirSync(cache, { recursive: true });
  try {
    await run("python3", ["-m", "venv", "--clear", home]);
  } catch (error) {
    throw new PythonMissing(
      `${name} needs Python 3.10 or newer with venv (apt-get install python3-venv): ${text(error)}`,
    );
  }
  try {
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages];
    await run(join(programs, "python"), pip, { maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    throw new PythonMissing(`${name} ${version} could not be installed from the Python package index: ${text(error)}`);
  }
  writeFileSync(done, "");
  return programs;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}
