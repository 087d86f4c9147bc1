/** `npm run chaos`: see options.ts. */
import { writeFile } from "node:fs/promises";
import { build } from "../../app/build.js";
import { UsageError } from "../support/commandLine.js";
import { runChaos } from "./chaos.js";
import { type ChaosOptions, readOptions, usage } from "./options.js";
import { hasFailed, linesOf } from "./report.js";

const say = (line: string) => process.stdout.write(`${line}\n`);

let options: ChaosOptions | undefined;
try {
  options = readOptions(process.argv.slice(2), process.env.INIT_CWD ?? process.cwd());
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\nnpm run chaos -- --help tells the rest\n`);
  process.exit(2);
}
if (options) {
  const report = await runChaos(options, await build(), say);
  if (options.json) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  for (const line of linesOf(report)) say(line);
  process.exit(hasFailed(report) ? 1 : 0);
}
process.stdout.write(usage);
