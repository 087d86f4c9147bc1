/**
 * The last step on a user's project: takes out the package managers' own files, which may hold a login, and makes all
 * others readable for the user that the roles run as. Files keep the rights that they had on their author's disk, where
 * some are for the author alone.
 *
 *   node --import tsx app/image/seal.ts FOLDER
 */
import { chmod, lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runStep } from "./step.js";

const LOGINS = [".npmrc", ".yarnrc", ".yarnrc.yml"];

export async function seal(folder: string): Promise<void> {
  await readable(folder);
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const info = await lstat(path);
    if (LOGINS.includes(name)) await rm(path, { recursive: true });
    else if (info.isDirectory()) await seal(path);
    else if (info.isFile()) await readable(path);
  }
}

/** As `chmod a+rX,go-w`. */
async function readable(path: string): Promise<void> {
  const { mode } = await lstat(path);
  const executable = mode & 0o111 ? 0o111 : 0;
  await chmod(path, ((mode & 0o7777) | 0o444 | executable) & ~0o022);
}

await runStep(import.meta.url, async ([folder = "."]) => seal(folder));
