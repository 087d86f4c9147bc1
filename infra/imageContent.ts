/**
 * What enters the image, as a hash. The image's tag is made of it, so the same content is not built twice, and a tag says
 * what it stands for. Content that comes back is pushed under the tag that it had before, and the repository allows that:
 * tasks are pinned to digests, never to tags.
 *
 * A project is copied before it is built: that `.env` files, `node_modules` and `.git` stay out is then a fact about a
 * folder that anyone can look into, not the effect of an ignore file that may be missing.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";

/** What the app's own build reads, below the folder of Pulumi.yaml; `.dockerignore` lets in the same. */
export const appContext = ["app", "package.json", "tsconfig.json"];

/** Never part of an image: secrets, what the build installs itself, and history. */
function isLeftOut(name: string): boolean {
  return name === "node_modules" || name === ".git" || name.startsWith(".env");
}

/** An unused copy is kept so long: another stack's deployment may still be building from it. */
const keptMs = 24 * 60 * 60 * 1000;

/** Hash of files and folders, 16 hexadecimal digits: names, contents, links, and who may execute. */
export function contentHash(folder: string, entries: string[] = [""]): string {
  return hashOf(
    folder,
    entries.flatMap((entry) => filesIn(join(folder, entry))),
  );
}

/** The same length as a content hash. */
export function textHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/**
 * Copies a project, without what stays out, to `<cache>/agents-<hash>`, once for each content. Copies that nobody has
 * used for a day go.
 * @param repository this project's own folder, no part of a project of agents that it happens to lie in
 * @returns the copy's folder
 */
export function copyProject(project: string, cache: string, repository: string): string {
  const folder = realpathSync(project);
  const own = realpathSync(repository);
  const files = filesIn(folder, own === folder ? undefined : own);
  const copy = join(cache, `agents-${hashOf(folder, files)}`);
  removeOldCopies(cache, copy);
  if (existsSync(copy)) {
    const now = new Date();
    utimesSync(copy, now, now);
    return copy;
  }
  // Renamed when whole, so that an interrupted copy is never taken for a project.
  const partial = `${copy}.${process.pid}`;
  for (const file of files) copyFile(file, join(partial, relative(folder, file)));
  if (existsSync(copy)) rmSync(partial, { recursive: true });
  else renameSync(partial, copy);
  return copy;
}

function copyFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  if (lstatSync(from).isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else copyFileSync(from, to);
}

function removeOldCopies(cache: string, kept: string): void {
  if (!existsSync(cache)) return;
  for (const copy of readdirSync(cache).map((name) => join(cache, name))) {
    const info = lstatSync(copy, { throwIfNoEntry: false });
    if (info !== undefined && copy !== kept && Date.now() - info.mtimeMs > keptMs)
      rmSync(copy, { recursive: true, force: true });
  }
}

function hashOf(folder: string, files: string[]): string {
  const hash = createHash("sha256");
  for (const file of files) {
    const info = lstatSync(file);
    const content = info.isSymbolicLink() ? Buffer.from(readlinkSync(file)) : readFileSync(file);
    const kind = info.isSymbolicLink() ? "link" : info.mode & 0o100 ? "executable" : "file";
    hash.update(JSON.stringify([relative(folder, file), kind, content.length])).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}

/** Files and links below a path, in an order that doesn't depend on the file system. */
function filesIn(path: string, besides?: string): string[] {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (info === undefined || path === besides) return [];
  if (!info.isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => !isLeftOut(name))
    .sort()
    .flatMap((name) => filesIn(join(path, name), besides));
}
