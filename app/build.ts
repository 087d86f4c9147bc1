/**
 * Compiles the app file by file: what runs is plain JavaScript, and the graph loader finds the same files at the same
 * places. Files of other kinds (Lua, JSON, static assets) are copied beside it.
 *
 * A build is a folder named by the hash of all it is made from, put in place by one rename; `dist/app` is a link to the
 * newest. So nobody sees half a build, two builds at once agree, unchanged sources cost one read of them, and a
 * topology that runs keeps its own files whatever is built meanwhile.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build as compile, version as compiler } from "esbuild";

const root = join(import.meta.dirname, "..");
const source = join(root, "app");
const output = join(root, "dist");
/** A build that nobody asked for in this time is removed. */
const KEEP_MS = 7 * 24 * 3600 * 1000;

const options: BuildOptions = {
  outbase: source,
  bundle: false,
  format: "esm",
  platform: "node",
  target: "node20",
  jsx: "automatic",
  sourcemap: true,
  logLevel: "warning",
};

/** Builds what has changed. Returns the folder of the build: it holds `main.js`, `agents/langgraph.json`, … */
export async function build(): Promise<string> {
  const folder = await upToDate();
  await utimes(folder, new Date(), new Date());
  await pointTo(folder);
  await removeOld(folder);
  return folder;
}

async function upToDate(): Promise<string> {
  for (;;) {
    const files = await sources();
    const sum = await hash(files);
    const folder = join(output, `app-${sum}`);
    // A file that was saved while we compiled must not end up under the hash of its former content.
    const unchanged = async () => (await hash(await sources())) === sum;
    if (existsSync(folder) || (await create(folder, files, unchanged))) return folder;
  }
}

async function sources(): Promise<string[]> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !relative(source, file).split(/[\\/]/).includes("node_modules"))
    .sort();
}

async function hash(files: string[]): Promise<string> {
  const sum = createHash("sha256").update(JSON.stringify([compiler, { ...options, outbase: "" }]));
  for (const file of files) {
    const content = await readFile(file);
    sum.update(JSON.stringify([relative(source, file), content.length])).update(content);
  }
  return sum.digest("hex").slice(0, 12);
}

/** Whether `folder` exists now; false when the sources have moved on meanwhile. */
async function create(folder: string, files: string[], unchanged: () => Promise<boolean>): Promise<boolean> {
  await mkdir(output, { recursive: true });
  const fresh = await mkdtemp(join(output, ".building-"));
  try {
    const code = files.filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"));
    const others = files.filter((file) => !/\.tsx?$/.test(file));
    await Promise.all([
      compile({ ...options, entryPoints: code, outdir: fresh }),
      ...others.map(async (file) => {
        const copy = join(fresh, relative(source, file));
        await mkdir(dirname(copy), { recursive: true });
        await copyFile(file, copy);
      }),
    ]);
    if (!(await unchanged())) return false;
    await chmod(fresh, 0o755);
    await rename(fresh, folder);
    return true;
  } catch (error) {
    // Another build of the same sources was quicker: it is the same.
    if (!existsSync(folder)) throw error;
    return true;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Turns the link `dist/app` to a build, in one step. */
async function pointTo(folder: string): Promise<void> {
  const link = join(await mkdtemp(join(output, ".linking-")), "app");
  await symlink(relative(output, folder), link);
  await rename(link, join(output, "app"));
  await rm(dirname(link), { recursive: true });
}

async function removeOld(current: string): Promise<void> {
  for (const name of await readdir(output)) {
    const path = join(output, name);
    if (path === current || !/^(app-|\.building-|\.linking-)/.test(name)) continue;
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > KEEP_MS) await rm(path, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const begin = performance.now();
  const folder = await build();
  process.stdout.write(`${relative(root, folder)} in ${Math.round(performance.now() - begin)} ms\n`);
}
