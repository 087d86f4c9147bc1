/**
 * With what a project installs its packages: npm, pnpm or yarn, in the version and from the lock file that its authors use.
 * Other managers come through npm, so the registry and the login that `.npmrc` names hold for them too.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A project that can't be installed or built: the message is a sentence for its author. */
export class BuildError extends Error {
  override name = "BuildError";
}

export interface InstallCommand {
  program: string;
  args: string[];
  environment: Record<string, string>;
}

interface Manager {
  name: string;
  /** Undefined where only the lock file says which manager it is. */
  version: string | undefined;
}

/** For lock files of projects that don't say which version wrote them: each reads what its earlier majors wrote. */
const NEWEST = { pnpm: "10.34.8", yarn: "4.18.1", yarnClassic: "1.22.22" };

const LOCKS: Record<string, string> = { "pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lock": "bun" };

/**
 * The command that installs a project's production dependencies.
 * @param cpu of the machine that will run them, as Node.js names it, where it is not the one that builds
 * @throws BuildError where the project's manager is not supported
 */
export function installCommand(folder: string, cpu: string | undefined): InstallCommand {
  const { name, version } = managerOf(folder);
  const foreign = cpu === undefined ? [] : ["--os=linux", `--cpu=${cpu}`, "--libc=glibc"];
  if (name === "npm") return command("npm", ["install", "--omit=dev", ...foreign]);
  if (name === "pnpm")
    return throughNpm(`pnpm@${version ?? NEWEST.pnpm}`, "pnpm", ["install", "--prod", "--frozen-lockfile", ...foreign]);
  if (name !== "yarn")
    throw new BuildError(`${name} is not supported; the image installs with npm, pnpm or yarn: add a lock file of one`);
  if (cpu !== undefined)
    throw new BuildError(`yarn can't install for another machine (${cpu}); build on one, or use npm or pnpm`);
  return yarn(folder, version);
}

/** The classic one and its successor share a name, and nothing else. */
function yarn(folder: string, version: string | undefined): InstallCommand {
  const lock = join(folder, "yarn.lock");
  const modern =
    version === undefined
      ? existsSync(lock) && /^__metadata:/m.test(readFileSync(lock, "utf8"))
      : !/^1\./.test(version);
  if (!modern)
    return throughNpm(`yarn@${version ?? NEWEST.yarnClassic}`, "yarn", [
      ...["install", "--production", "--frozen-lockfile", "--non-interactive"],
    ]);
  const install = throughNpm(`@yarnpkg/cli-dist@${version ?? NEWEST.yarn}`, "yarn", [
    ...["workspaces", "focus", "--all", "--production"],
  ]);
  // The graph loader looks for LangGraph where Node.js does, in node_modules.
  return {
    ...install,
    environment: { ...install.environment, YARN_NODE_LINKER: "node-modules", YARN_IGNORE_PATH: "1" },
  };
}

/** `"packageManager": "pnpm@10.1.0+sha512.…"` in package.json, else the lock file. */
function managerOf(folder: string): Manager {
  const manifest: { packageManager?: unknown } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const [, name, version] = /^([a-z]+)@([^+]+)/.exec(String(manifest.packageManager ?? "")) ?? [];
  if (name !== undefined) return { name, version };
  const lock = Object.keys(LOCKS).find((file) => existsSync(join(folder, file)));
  return { name: (lock && LOCKS[lock]) ?? "npm", version: undefined };
}

function throughNpm(name: string, program: string, args: string[]): InstallCommand {
  return command("npm", ["exec", "--yes", `--package=${name}`, "--", program, ...args]);
}

function command(program: string, args: string[]): InstallCommand {
  return { program, args, environment: { CI: "true", NODE_ENV: "production" } };
}
