/** The previous release, compiled from its commit as it compiled itself. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

export interface PreviousBuild {
  /** Holds `main.js`, as `builtApp()` does. */
  folder: string;
  remove(): Promise<void>;
}

/**
 * @param commit of the release
 * Its packages are linked from here. A release that changes them so that its predecessor doesn't run on them would need
 * an installation of its own.
 */
export async function buildRelease(commit: string): Promise<PreviousBuild> {
  await run("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: root }).catch(() => {
    throw new Error(
      `The previous release, commit ${commit}, is not in this clone, so it can't be tested: run \`git fetch --unshallow\`.`,
    );
  });
  const folder = await mkdtemp(join(tmpdir(), "switchyard-previous-"));
  const archive = join(folder, "sources.tar");
  const sources = join(folder, "sources");
  await run("git", ["archive", "--output", archive, commit, "app", "package.json", "tsconfig.json"], { cwd: root });
  await mkdir(sources);
  await run("tar", ["-xf", archive, "-C", sources]);
  await symlink(join(root, "node_modules"), join(sources, "node_modules"));
  await run(process.execPath, ["--import", "tsx", "app/build.ts"], { cwd: sources });
  return {
    folder: join(sources, "dist", "app"),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
