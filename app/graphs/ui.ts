/**
 * The files of a project's components, in memory: those that the image's build left beside langgraph.json, else those that
 * a child process bundles before the server listens. The image holds no bundler, so there nothing else can be served.
 */
import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProjectError } from "./config/error.js";
import type { Project } from "./config.js";

/** By the name that clients ask for, then by file. */
export type UiFiles = ReadonlyMap<string, ReadonlyMap<string, Buffer>>;

/** Beside langgraph.json, in an image; app/image/ui.ts writes it. */
const BUILT_UI = join(".switchyard", "ui");
/** A second as a rule. */
const CHILD_MS = 120_000;

/**
 * @param bundler the compiled app/image/ui.js, which an image has not
 * @throws ProjectError that names the component's file
 */
export async function loadUi({ folder, ui }: Pick<Project, "folder" | "ui">, bundler: string): Promise<UiFiles> {
  const names = Object.keys(ui.files);
  if (names.length === 0) return new Map();
  const built = join(folder, BUILT_UI);
  if (existsSync(built) || !existsSync(bundler)) return await filesIn(built, names, ui.origin);
  const fresh = await mkdtemp(join(tmpdir(), "switchyard-ui-"));
  try {
    const failure = await bundle(bundler, folder, fresh, { files: ui.files, shared: ui.shared });
    if (failure !== undefined) throw new ProjectError(`${ui.origin}: ${failure}`);
    return await filesIn(fresh, names, ui.origin);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function filesIn(folder: string, names: string[], origin: string): Promise<UiFiles> {
  const all = new Map<string, ReadonlyMap<string, Buffer>>();
  for (const name of names) {
    const of = join(folder, name);
    if (!existsSync(of))
      throw new ProjectError(`${origin}: ui.${name} is not in this image; name it in langgraph.json before the build`);
    const files = (await readdir(of)).map(async (file) => [file, await readFile(join(of, file))] as const);
    all.set(name, new Map(await Promise.all(files)));
  }
  return all;
}

/** @returns what is wrong, in a sentence */
function bundle(bundler: string, folder: string, output: string, ui: object): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = fork(bundler, [folder, output, JSON.stringify(ui)], {
      cwd: folder,
      timeout: CHILD_MS,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    let failure: string | undefined;
    child.once("error", reject);
    child.once("message", (message: { failure: string }) => {
      failure = message.failure;
    });
    child.once("close", (code, signal) =>
      resolve(code === 0 ? undefined : (failure ?? `ui can't be bundled: the bundler ended with ${code ?? signal}`)),
    );
  });
}
