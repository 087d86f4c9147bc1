/** Runs a file of this folder as a step of the Dockerfile: a sentence and exit code 1 where the project is to blame. */
import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { BuildError } from "./packageManager.js";

/** Does nothing where the file was imported. @param step gets the command line's arguments */
export async function runStep(moduleUrl: string, step: (args: string[]) => Promise<void>): Promise<void> {
  const entry = process.argv[1];
  if (entry === undefined || pathToFileURL(realpathSync(entry)).href !== moduleUrl) return;
  try {
    await step(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
