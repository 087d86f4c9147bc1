/** Commands that a test puts on the PATH in place of `aws`, `pulumi` and `docker`. */
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** What a command answers, by how its arguments begin; JSON or text, or a complaint with exit code 1. */
export type Answers = Record<string, object | string | { complaint: string }>;

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

const root = join(import.meta.dirname, "../../..");

/** Runs a program of `infra` with nothing on the PATH but Node.js and the stand-ins. */
export async function runWith(standIns: Record<string, Answers>, program: string, args: string[]): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), "switchyard-commands-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [command, answers] of Object.entries(standIns)) {
    const file = join(folder, command);
    await writeFile(file, script(answers));
    await chmod(file, 0o755);
  }
  const env = { PATH: folder, HOME: folder, TMPDIR: tmpdir() };
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--import", "tsx", join(root, program), ...args],
      { cwd: root, env },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

function script(answers: Answers): string {
  return `#!${process.execPath}
const line = process.argv.slice(2).join(" ");
const [, answer] = Object.entries(${JSON.stringify(answers)}).find(([begin]) => line.startsWith(begin)) ?? [];
if (answer === undefined || answer.complaint) {
  console.error(answer?.complaint ?? "the stand-in has no answer to: " + line);
  process.exit(1);
}
console.log(typeof answer === "string" ? answer : JSON.stringify(answer));
`;
}
