/**
 * Checkov, in a virtual environment of its own under node_modules/.cache, made once for each version. It reads one file
 * for each resource: where it names a resource only in part, the file still tells which one it means.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isValues, type Values } from "../engine/wire.js";

const version = "3.3.30";
/** Of checks/read.yaml. */
const readCheck = "CKV2_SWITCHYARD_1";
const run = promisify(execFile);

/** Something that this machine lacks, and how to get it. */
export class MissingError extends Error {
  override name = "MissingError";
}

export interface Finding {
  check: string;
  title: string;
  /** @example "aws_lb.balancer" */
  resource: string;
}

export interface Findings {
  passed: Finding[];
  failed: Finding[];
  /** Addresses of all that was read. */
  read: string[];
}

/**
 * @param cache folder for what is installed
 * @param say told before anything that takes long
 * @returns the path of Checkov
 * @throws MissingError where there is no Python, or no package registry
 */
export async function installCheckov(cache: string, say: (line: string) => void): Promise<string> {
  const home = join(cache, `checkov-${version}`);
  const [program, done] = [join(home, "bin", "checkov"), join(home, "installed")];
  if (existsSync(done)) return program;
  say(`installing Checkov ${version} (once, about half a minute)`);
  mkdirSync(cache, { recursive: true });
  try {
    await run("python3", ["-m", "venv", "--clear", home]);
  } catch (error) {
    throw new MissingError(
      `Checkov needs Python 3.9 or newer with venv (apt-get install python3-venv): ${text(error)}`,
    );
  }
  try {
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `checkov==${version}`];
    await run(join(home, "bin", "python"), pip, { maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    throw new MissingError(`Checkov ${version} could not be installed from the Python package index: ${text(error)}`);
  }
  writeFileSync(done, "");
  return program;
}

/** @param files by address, as `toTerraform` makes them */
export async function runCheckov(program: string, files: Map<string, Values>): Promise<Findings> {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-scan-"));
  try {
    for (const [address, file] of files) writeFileSync(join(folder, `${address}.tf.json`), JSON.stringify(file));
    const checks = fileURLToPath(new URL("checks", import.meta.url));
    const args = ["-d", folder, "--framework", "terraform_json", "--external-checks-dir", checks];
    return findingsOf(await output(program, [...args, "--output", "json", "--compact"]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What Checkov printed; it ends with 1 where a check failed, which is no fault of its own. */
async function output(program: string, args: string[]): Promise<string> {
  const options = { env: { ...process.env, LOG_LEVEL: "CRITICAL" }, maxBuffer: 256 * 1024 * 1024 };
  try {
    return (await run(program, args, options)).stdout;
  } catch (error) {
    if (isValues(error) && error.code === 1 && typeof error.stdout === "string") return error.stdout;
    throw error;
  }
}

function findingsOf(json: string): Findings {
  const report: unknown = JSON.parse(json);
  const results = isValues(report) && isValues(report.results) ? report.results : undefined;
  if (results === undefined) throw new Error(`Checkov printed no report: ${json.slice(0, 500)}`);
  const unparsed = Array.isArray(results.parsing_errors) ? results.parsing_errors : [];
  if (unparsed.length > 0) throw new Error(`Checkov could not parse ${unparsed.join(", ")}`);
  const passed = records(results.passed_checks);
  return {
    passed: passed.filter(({ check }) => check !== readCheck),
    failed: records(results.failed_checks),
    read: passed.filter(({ check }) => check === readCheck).map(({ resource }) => resource),
  };
}

function records(value: unknown): Finding[] {
  const list: unknown[] = Array.isArray(value) ? value : [];
  return list.filter(isValues).map((record) => ({
    check: String(record.check_id),
    title: String(record.check_name),
    resource: String(record.file_path)
      .replace(/^\//, "")
      .replace(/\.tf\.json$/, ""),
  }));
}

function text(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}
