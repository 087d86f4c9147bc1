/**
 * Bundles the components of a project (`ui` of langgraph.json), each with its styles, as LangGraph's own bundler does: what
 * is loaded into a page must fit what the SDK there hands it.
 *
 *   node --import tsx app/image/ui.ts PROJECT [OUTPUT UI]
 *
 * As a step of the image it reads langgraph.json, and leaves the files beside it. It comes before the project is compiled,
 * because styles follow from the classes that the sources name. A server that finds none there starts it as a child, with
 * the folder for the files and, as JSON, what langgraph.json or its variables say; then what is wrong is sent to it.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { BuildError } from "./packageManager.js";
import { runStep } from "./step.js";

interface UiSources {
  files: Record<string, string>;
  shared: string[];
}

/**
 * Leaves `OUTPUT/NAME/entrypoint.js`, and `entrypoint.css` where there are styles.
 * @throws BuildError that names the component, the file and the line
 */
async function bundleUi(project: string, output: string, { files, shared }: UiSources): Promise<void> {
  const started = process.cwd();
  // Styles are made from the classes in the files of the working directory.
  process.chdir(project);
  await mkdir(output, { recursive: true });
  const lent = await lendTailwind();
  try {
    const { build } = await import("@langchain/langgraph-ui");
    for (const [name, file] of Object.entries(files)) {
      if (!existsSync(file))
        throw new BuildError(`ui.${name} names ${file}, which is not there (looked for ${resolve(file)})`);
      const into = join(output, `${name}.building`);
      await build({ cwd: project, defs: { [name]: file }, config: { shared }, output: into }).catch(
        (error: unknown) => {
          throw new BuildError(`ui.${name}: ${file} can't be bundled: ${reason(error, started)}`);
        },
      );
      await rename(join(into, "public", name), join(output, name));
      await rm(into, { recursive: true });
    }
  } finally {
    await rm(lent, { recursive: true });
  }
}

/**
 * Components may say `@import "tailwindcss"` where the project has no such package: LangGraph promises Tailwind to
 * all. Nothing else of ours may be found from there, so it is alone in a folder that is looked into last.
 */
async function lendTailwind(): Promise<string> {
  const bundler = createRequire(import.meta.resolve("@langchain/langgraph-ui"));
  const folder = await mkdtemp(join(tmpdir(), "switchyard-tailwind-"));
  await symlink(dirname(bundler.resolve("tailwindcss/package.json")), join(folder, "tailwindcss"));
  process.env.NODE_PATH = folder;
  return folder;
}

/** The first of the bundler's messages, with its place. @param started where esbuild was loaded, which its paths start at */
function reason(error: unknown, started: string): string {
  const { errors = [] } = error as { errors?: { text: string; location: { file: string; line: number } | null }[] };
  const [first] = errors;
  if (first === undefined) return error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
  // A plugin names its own place, and in the text that of what it has read.
  if (first.location === null || first.location.file.includes("node_modules")) return first.text;
  const { file, line } = first.location;
  return `${first.text} (${existsSync(file) ? file : relative("", resolve(started, file))}:${line})`;
}

/** Another form than this is refused by the step that loads the graphs. */
async function sourcesOf(project: string): Promise<UiSources> {
  const { ui, ui_config: config } = JSON.parse(await readFile(join(project, "langgraph.json"), "utf8"));
  return { files: ui ?? {}, shared: config?.shared ?? [] };
}

await runStep(import.meta.url, async ([folder = ".", output, ui]) => {
  const project = resolve(folder);
  try {
    if (output !== undefined && ui !== undefined) return await bundleUi(project, output, JSON.parse(ui));
    const sources = await sourcesOf(project);
    const beside = join(project, ".switchyard", "ui");
    await rm(beside, { recursive: true, force: true });
    if (Object.keys(sources.files).length > 0) await bundleUi(project, beside, sources);
  } catch (error) {
    if (error instanceof BuildError) process.send?.({ failure: error.message });
    throw error;
  }
});
