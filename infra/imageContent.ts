/**
 * What enters the image, as a hash. The image's tag is made of it, so the same content is never built twice, and no tag
 * ever stands for two contents (the repository refuses to overwrite one).
 *
 * A user's project is copied before it is built: that `.env` files, `node_modules` and `.git` stay out is then a fact
 * about a folder that anyone can look into, not the effect of an ignore file that may be missing.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync } from "node:fs";
import { basename, join, relative } from "node:path";

/** What the app's own build reads, below the folder of Pulumi.yaml; `.dockerignore` lets in the same. */
export const appContext = ["app", "package.json", "tsconfig.json"];

/** Never part of an image: secrets, what the build installs itself, and history. */
function isLeftOut(name: string): boolean {
  return name === "node_modules" || name === ".git" || name.startsWith(".env");
}

/** Hash of files and folders, 16 hexadecimal digits: names, contents, links, and who may execute. */
export function contentHash(folder: string, entries: string[] = [""]): string {
  const hash = createHash("sha256");
  for (const file of entries.flatMap((entry) => filesIn(join(folder, entry)))) {
    const info = lstatSync(file);
    const content = info.isSymbolicLink() ? Buffer.from(readlinkSync(file)) : readFileSync(file);
    const kind = info.isSymbolicLink() ? "link" : info.mode & 0o100 ? "executable" : "file";
    hash.update(JSON.stringify([relative(folder, file), kind, content.length])).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}

/** The same length as a content hash. */
export function textHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/**
 * Copies a project, without what stays out, to `<cache>/agents-<hash>`, once for each content.
 * @returns the copy's folder
 */
export function copyProject(folder: string, cache: string): string {
  const copy = join(cache, `agents-${contentHash(folder)}`);
  if (existsSync(copy)) return copy;
  // Renamed when whole, so that an interrupted copy is never taken for a project.
  const partial = `${copy}.${process.pid}`;
  cpSync(folder, partial, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => source === folder || !isLeftOut(basename(source)),
  });
  if (existsSync(copy)) rmSync(partial, { recursive: true });
  else renameSync(partial, copy);
  return copy;
}

/** Files and links below a path, in an order that doesn't depend on the file system. */
function filesIn(path: string): string[] {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (info === undefined) return [];
  if (!info.isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => !isLeftOut(name))
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}
