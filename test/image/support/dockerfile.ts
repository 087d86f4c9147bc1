/**
 * Does what `docker build` would do with app/Dockerfile, without Docker: every stage is a folder, COPY copies, RUN runs its
 * command there with this machine's Node.js and npm. It knows what our Dockerfile uses and throws at anything else.
 *
 * A RUN may name files only relative to its folder, since there is no root to change here.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

export interface Instruction {
  name: string;
  flags: Record<string, string[]>;
  /** What follows name and flags. */
  text: string;
}

export interface Stage {
  name: string;
  /** An image or an earlier stage. */
  base: string;
  platform: string | undefined;
  instructions: Instruction[];
}

/** What a container starts with; paths are those of this machine. */
export interface Image {
  /** The root of its files. */
  folder: string;
  environment: Record<string, string>;
  workdir: string;
  user: string;
  entrypoint: string[];
  command: string[];
}

export interface BuildOptions {
  /** Folders of named contexts. */
  contexts?: Record<string, string>;
  args?: Record<string, string>;
  secrets?: Record<string, string>;
}

export function parseDockerfile(text: string): { args: Instruction[]; stages: Stage[] } {
  const lines = text.replace(/^\s*#.*\n/gm, "").replace(/\\\n\s*/g, "");
  const args: Instruction[] = [];
  const stages: Stage[] = [];
  for (const line of lines.split("\n").filter((each) => each.trim() !== "")) {
    const instruction = parseLine(line);
    const stage = stages.at(-1);
    if (instruction.name === "FROM") {
      const [base = "", , name = `stage ${stages.length}`] = instruction.text.split(/\s+/);
      stages.push({ name, base, platform: instruction.flags.platform?.[0], instructions: [] });
    } else if (stage === undefined) args.push(instruction);
    else stage.instructions.push(instruction);
  }
  return { args, stages };
}

function parseLine(line: string): Instruction {
  let rest = line.trim();
  const flags: Record<string, string[]> = {};
  const name = take(/^(\S+)\s*/);
  for (let flag = take(/^--(\S+)\s+/); flag !== ""; flag = take(/^--(\S+)\s+/)) {
    const [key = "", ...value] = flag.split("=");
    flags[key] = [...(flags[key] ?? []), value.join("=")];
  }
  return { name, flags, text: rest };

  function take(pattern: RegExp): string {
    const [whole = "", part = ""] = pattern.exec(rest) ?? [];
    rest = rest.slice(whole.length);
    return part;
  }
}

/** Builds images of one Dockerfile. Stages that don't depend on a build's options are made once, for all its builds. */
export class Builder {
  private readonly parsed;
  private readonly made = new Map<string, Promise<Layer>>();
  private readonly folders: string[] = [];

  /** @param context the folder of COPY without `--from` */
  constructor(
    dockerfile: string,
    private readonly context: string,
  ) {
    this.parsed = parseDockerfile(dockerfile);
  }

  /** @throws with the output of the RUN that failed */
  async build(options: BuildOptions = {}): Promise<Image> {
    const last = this.parsed.stages.at(-1);
    if (last === undefined) throw new Error("the Dockerfile has no stage");
    return await this.make(last, options);
  }

  async remove(): Promise<void> {
    for (const folder of this.folders) {
      // What stands for a read-only root can't be removed as it is.
      await promisify(execFile)("chmod", ["-R", "u+w", folder]);
      await rm(folder, { recursive: true, force: true });
    }
  }

  private make(stage: Stage, options: BuildOptions): Promise<Layer> {
    const key = this.varies(stage, options) ? `${stage.name} ${JSON.stringify(options)}` : stage.name;
    const layer = this.made.get(key) ?? this.run(stage, options);
    this.made.set(key, layer);
    return layer;
  }

  private stage(name: string): Stage | undefined {
    return this.parsed.stages.find((stage) => stage.name === name);
  }

  private varies(stage: Stage, options: BuildOptions): boolean {
    const sources = [stage.base, ...stage.instructions.flatMap(({ flags }) => flags.from ?? [])];
    const own = stage.instructions.some(
      ({ name, text }) => name === "ARG" && (text.split("=")[0] ?? "") in (options.args ?? {}),
    );
    return (
      own ||
      sources.some((source) => {
        const other = this.stage(source);
        return source in (options.contexts ?? {}) || (other !== undefined && this.varies(other, options));
      })
    );
  }

  private async run(stage: Stage, options: BuildOptions): Promise<Layer> {
    const folder = await mkdtemp(join(tmpdir(), "switchyard-image-"));
    this.folders.push(folder);
    await promisify(execFile)("chmod", ["755", folder]);
    const base = this.stage(stage.base);
    const layer: Layer = {
      folder,
      environment: {},
      args: {},
      workdir: folder,
      user: "root",
      entrypoint: [],
      command: [],
    };
    if (base) {
      const below = await this.make(base, options);
      await copy(below.folder, folder);
      Object.assign(layer, {
        environment: { ...below.environment },
        workdir: join(folder, below.workdir.slice(below.folder.length)),
      });
    }
    for (const instruction of stage.instructions) await this.apply(instruction, layer, options);
    return layer;
  }

  private async apply({ name, flags, text }: Instruction, layer: Layer, options: BuildOptions): Promise<void> {
    if (name === "WORKDIR") {
      layer.workdir = join(layer.folder, text);
      await mkdir(layer.workdir, { recursive: true });
    } else if (name === "ARG") {
      const [variable = "", value = ""] = text.split("=");
      const given: Record<string, string> = { TARGETARCH: arch() === "x64" ? "amd64" : arch(), ...options.args };
      layer.args[variable] = given[variable] ?? value.replaceAll('"', "");
    } else if (name === "ENV") {
      for (const pair of text.split(/\s+/)) {
        const [variable = "", value = ""] = pair.split("=");
        layer.environment[variable] = value.startsWith("/") ? join(layer.folder, value) : value;
      }
    } else if (name === "COPY") await this.copyInto(layer, flags.from?.[0], text.split(/\s+/), options);
    else if (name === "RUN") await runIn(layer, flags.mount ?? [], text, options);
    else if (name === "USER") layer.user = text;
    else if (name === "ENTRYPOINT") layer.entrypoint = JSON.parse(text);
    else if (name === "CMD") layer.command = JSON.parse(text);
    else throw new Error(`${name} is not known here`);
  }

  private async copyInto(
    layer: Layer,
    from: string | undefined,
    paths: string[],
    options: BuildOptions,
  ): Promise<void> {
    const stage = from === undefined ? undefined : this.stage(from);
    const source = stage ? (await this.make(stage, options)).folder : from ? options.contexts?.[from] : this.context;
    if (source === undefined) throw new Error(`COPY --from=${from}: there is no such stage or context`);
    const destination = paths.at(-1) ?? "";
    const target = destination.startsWith("/") ? join(layer.folder, destination) : join(layer.workdir, destination);
    for (const path of paths.slice(0, -1))
      await copy(join(source, path), destination === "." && path !== "." ? join(target, basename(path)) : target);
  }
}

type Layer = Image & { args: Record<string, string> };

async function copy(from: string, to: string): Promise<void> {
  const folder = (await stat(from)).isDirectory();
  await mkdir(folder ? to : dirname(to), { recursive: true });
  // Not by Node.js, which takes seconds for the thousands of files of node_modules.
  await promisify(execFile)("cp", ["-a", folder ? `${from}/.` : from, to]);
}

async function runIn(layer: Layer, mounts: string[], command: string, options: BuildOptions): Promise<void> {
  const secrets = mounts.flatMap((mount) => {
    const { type, id = "", env } = Object.fromEntries(mount.split(",").map((pair) => pair.split("=")));
    const value = options.secrets?.[id];
    return type === "secret" && env !== undefined && value !== undefined ? [[env, value]] : [];
  });
  const env = { ...ofThisMachine(), ...layer.environment, ...layer.args, ...Object.fromEntries(secrets) };
  try {
    await promisify(execFile)("/bin/sh", ["-c", command], { cwd: layer.workdir, env, maxBuffer: 1 << 24 });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`RUN ${command}\n${stdout}${stderr}`, { cause: error });
  }
}

/** How this machine reaches a registry, without what belongs to the test run: `npm test` tells its children its folder. */
function ofThisMachine(): NodeJS.ProcessEnv {
  const ofTheRun =
    /^(VITEST.*|NODE_ENV|NODE_OPTIONS|NPM_TOKEN|INIT_CWD|npm_(lifecycle|package)_.*|npm_config_(local_)?prefix)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ofTheRun.test(name)));
}
