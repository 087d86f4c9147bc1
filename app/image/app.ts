/**
 * Lays out what the image holds of the app: the compiled files that the roles run, and a package.json with the packages
 * that they import. The one in the root also names Pulumi and its providers, hundreds of megabytes that no task runs.
 *
 *   node --import tsx app/image/app.ts FOLDER
 *
 * The packages are read off the code, from `main.ts` on, so nothing has to be kept in step by hand; their versions are
 * those of the root's package.json.
 */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join, relative, sep } from "node:path";
import { build as analyse } from "esbuild";
import { build } from "../build.js";
import { runStep } from "./step.js";

const root = join(import.meta.dirname, "../..");

/** Top levels of the compiled app that only a machine of a developer or a build needs. */
const NOT_IN_THE_IMAGE = /^(agents|image|local|build\.js.*|Dockerfile.*)$/;

/** @param folder is made, and must not hold anything else */
export async function layOutApp(folder: string): Promise<void> {
  const built = await build();
  await mkdir(folder, { recursive: true });
  await cp(built, folder, {
    recursive: true,
    filter: (source) => !NOT_IN_THE_IMAGE.test(relative(built, source).split(sep)[0] ?? ""),
  });
  const { name, version } = await readManifest();
  const dependencies = await dependenciesOf("app/main.ts");
  const manifest = { name, version, private: true, type: "module", dependencies };
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * The packages that a module and all it imports need, with the versions of the root's package.json.
 * @param entry relative to the root
 */
export async function dependenciesOf(entry: string): Promise<Record<string, string>> {
  const { metafile } = await analyse({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    metafile: true,
    write: false,
  });
  const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports);
  const names = imported
    .filter(({ external, path }) => external && !isBuiltin(path))
    .map(({ path }) => packageOf(path));
  const { dependencies } = await readManifest();
  const versions = [...new Set(names)].sort().map((name) => {
    const version = dependencies[name];
    if (version === undefined) throw new Error(`${entry} needs ${name}, which package.json does not name`);
    return [name, version];
  });
  return Object.fromEntries(versions);
}

async function readManifest(): Promise<{ name: string; version: string; dependencies: Record<string, string> }> {
  return JSON.parse(await readFile(join(root, "package.json"), "utf8"));
}

/** `@scope/name/path` and `name/path` are files of a package. */
function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

await runStep(import.meta.url, async ([folder = "."]) => layOutApp(folder));
