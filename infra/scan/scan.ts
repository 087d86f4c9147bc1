/**
 * `npm run scan`: Checkov over all that the program would create, for each stack that has a file. Needs no account.
 * Exit codes: 0 nothing failed, 1 a check failed, 2 wrong usage or configuration, 3 Python or its packages are missing.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { root } from "../config.js";
import { runProgram } from "../engine/run.js";
import { stackConfig, stackNames } from "../engine/stackFiles.js";
import { profiles } from "../profiles.js";
import { installCheckov, MissingError, runCheckov } from "./checkov.js";
import { judge, type Skip, type Verdict } from "./judge.js";
import { toTerraform } from "./terraform.js";

/** Wrong usage or configuration. */
class UsageError extends Error {}

async function main(args: string[]): Promise<number> {
  if (args.length > 0) throw new UsageError("npm run scan takes no arguments; it scans every stack that has a file");
  const stacks = stackNames(root);
  const skips = readSkips(stacks);
  const program = await installCheckov(join(root, "node_modules", ".cache"), say);
  const verdicts: Verdict[] = [];
  for (const stack of stacks) {
    const verdict = await scan(stack, program, skips);
    say(`${stack}: resources ${verdict.resources}, passed ${verdict.passed}, skipped ${verdict.skipped}`);
    for (const failure of verdict.failures) say(failure);
    verdicts.push(verdict);
  }
  const sum = (count: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + count(verdict), 0);
  const failed = sum(({ failures }) => failures.length);
  say(
    `resources ${sum(({ resources }) => resources)}, passed ${sum(({ passed }) => passed)}, ` +
      `skipped ${sum(({ skipped }) => skipped)}`,
  );
  say(`failed ${failed}`);
  return failed === 0 ? 0 : 1;
}

async function scan(stack: string, program: string, skips: Skip[]): Promise<Verdict> {
  say(`${stack}: running the program`);
  const config = stackConfig(root, stack);
  const domain = config.values["switchyard:domain"] ?? "";
  const recording = await runProgram({ root, stack, config, zones: [domain] });
  if (recording.exitCode !== 0) throw new UsageError(recording.errors.join("\n") || recording.printed);
  const files = toTerraform(recording.resources);
  const profile = z.enum(profiles).parse(config.values["switchyard:profile"]);
  return judge({ stack, profile }, [...files.keys()], await runCheckov(program, files), skips);
}

const Skips = z.array(
  z.strictObject({
    check: z.string(),
    stacks: z.array(z.string()).min(1),
    resources: z.array(z.string()).min(1),
    reason: z.string(),
  }),
);

function readSkips(stacks: string[]): Skip[] {
  const file = new URL("skips.yaml", import.meta.url);
  const skips = Skips.safeParse(parse(readFileSync(file, "utf8")));
  if (!skips.success) throw new UsageError(`infra/scan/skips.yaml: ${z.prettifyError(skips.error)}`);
  const unknown = skips.data.flatMap((skip) => skip.stacks).find((stack) => !stacks.includes(stack));
  if (unknown !== undefined)
    throw new UsageError(`infra/scan/skips.yaml names the stack ${unknown}, which has no file`);
  return skips.data;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = error instanceof UsageError ? 2 : error instanceof MissingError ? 3 : 1;
}
