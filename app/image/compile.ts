/**
 * Compiles the TypeScript of a user's project, each file to JavaScript at the same place: what the code reads beside
 * itself is still there, and the graph loader takes the `.js` for the `.ts` that langgraph.json names.
 *
 * Under `npm start` tsx finds what an import means: without an extension, `./part.js` for `part.ts`, by the paths of
 * tsconfig.json. Node.js finds none of these, so the imports of a project's own files are written out here, by the
 * resolver of esbuild, which knows the same rules. Imports of packages stay as they are.
 *
 *   node --import tsx app/image/compile.ts FOLDER
 */
import { existsSync, readFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { dirname, extname, join, relative, resolve, sep } from "node:path";
import { type BuildOptions, build, type Format, type Plugin } from "esbuild";
import { runStep } from "./step.js";

const COMPILED: Record<string, string> = { ".ts": ".js", ".tsx": ".js", ".mts": ".mjs", ".cts": ".cjs" };

const KINDS: { format: Format; extension: string }[] = [
  { format: "esm", extension: ".js" },
  { format: "esm", extension: ".mjs" },
  { format: "cjs", extension: ".js" },
  { format: "cjs", extension: ".cjs" },
];

/** What an ES module may ask about its own place, for TypeScript that Node.js runs as CommonJS. */
const placeInCommonJs: BuildOptions = {
  define: {
    "import.meta.url": "__importMetaUrl",
    "import.meta.dirname": "__dirname",
    "import.meta.filename": "__filename",
  },
  banner: { js: 'const __importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
};

/**
 * Replaces every TypeScript file below `folder` (node_modules and declarations apart) by what it compiles to.
 * @returns the files that were compiled, relative to the folder
 * @throws esbuild's BuildFailure that names the file and the line
 */
export async function compileProject(folder: string): Promise<string[]> {
  const files = await typescriptIn(folder);
  for (const { format, extension } of KINDS) {
    const entryPoints = files.filter(
      (file) => formatOf(file, folder) === format && COMPILED[extname(file)] === extension,
    );
    await build({
      entryPoints,
      absWorkingDir: folder,
      outbase: folder,
      outdir: folder,
      outExtension: { ".js": extension },
      format,
      bundle: true,
      treeShaking: false,
      platform: "node",
      target: "node24",
      sourcemap: true,
      sourcesContent: true,
      allowOverwrite: true,
      logLevel: "error",
      plugins: [keepImports(folder)],
      ...(format === "cjs" ? placeInCommonJs : {}),
    });
  }
  await Promise.all(files.map((file) => rm(file)));
  return files.map((file) => relative(folder, file));
}

async function typescriptIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => extname(file) in COMPILED && !/\.d\.[cm]?ts$/.test(file))
    .filter((file) => !relative(folder, file).split(sep).includes("node_modules"))
    .sort();
}

/** As Node.js decides: by the extension, else by the nearest package.json. */
function formatOf(file: string, folder: string): Format {
  if (file.endsWith(".mts")) return "esm";
  if (file.endsWith(".cts")) return "cjs";
  for (let place = dirname(file); ; place = dirname(place)) {
    const manifest = join(place, "package.json");
    if (existsSync(manifest)) {
      const { type }: { type?: unknown } = JSON.parse(readFileSync(manifest, "utf8"));
      return type === "module" ? "esm" : "cjs";
    }
    if (place === folder || place === dirname(place)) return "cjs";
  }
}

/** Bundles nothing but JSON, which Node.js would import only with an attribute; finds the project's own files. */
function keepImports(folder: string): Plugin {
  return {
    name: "keep-imports",
    setup({ onResolve, resolve: find }) {
      onResolve({ filter: /.*/ }, async ({ kind, path, resolveDir, importer, pluginData }) => {
        if (kind === "entry-point" || pluginData === "ours") return undefined;
        const found = await find(path, { kind, resolveDir, importer, pluginData: "ours" });
        const inside = found.errors.length === 0 && !found.external && isOwn(found.path, folder);
        if (!inside) return { path, external: true };
        if (extname(found.path) === ".json") return { path: found.path };
        const target = found.path.slice(0, -extname(found.path).length) + compiledExtension(found.path);
        const specifier = relative(dirname(importer), resolve(target)).split(sep).join("/");
        return { path: specifier.startsWith(".") ? specifier : `./${specifier}`, external: true };
      });
    },
  };
}

function isOwn(path: string, folder: string): boolean {
  const inside = relative(folder, path).split(sep);
  return inside[0] !== ".." && !inside.includes("node_modules");
}

function compiledExtension(file: string): string {
  return COMPILED[extname(file)] ?? extname(file);
}

await runStep(import.meta.url, async ([folder = "."]) => {
  const files = await compileProject(resolve(folder));
  process.stdout.write(`compiled ${files.length} files\n`);
});
