/** `npm run conformance`: see options.ts. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "../../app/build.js";
import { UsageError } from "../support/commandLine.js";
import { MissingError } from "../support/environments.js";
import type { Outcome } from "./cases.js";
import { type Deployment, deploy, type Size } from "./deployment.js";
import { type Options, readOptions, usage } from "./options.js";
import type { Context, Part, PartName } from "./parts.js";

const say = (line: string) => process.stdout.write(`${line}\n`);

async function main(args: string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(args, process.env.INIT_CWD ?? process.cwd());
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\nnpm run conformance -- --help tells the rest\n`);
    return 2;
  }
  if (!options) {
    process.stdout.write(usage);
    return 0;
  }
  try {
    return await runParts(options);
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 3;
  }
}

async function runParts({ parts, write, json }: Options): Promise<number> {
  const deployments = new Map<Size, Promise<Deployment>>();
  const app = await build();
  const context: Context = {
    ...{ build: app, cache: join(import.meta.dirname, "../../node_modules/.cache/conformance"), say, write },
    calls: new Map(),
    deployment(size) {
      const started = deployments.get(size) ?? deploy(size, app);
      deployments.set(size, started);
      return started;
    },
  };
  const total: Outcome = { passed: 0, failed: [] };
  try {
    for (const part of parts) {
      const { passed, failed } = await runPart(part, context);
      total.passed += passed;
      total.failed.push(...failed.map((line) => `${part}: ${line}`));
    }
  } finally {
    for (const started of await Promise.allSettled(deployments.values()))
      if (started.status === "fulfilled") await started.value.stop();
  }
  for (const line of total.failed) say(`failed  ${line}`);
  say(`${total.passed} passed, ${total.failed.length} failed`);
  if (json !== undefined) {
    await mkdir(dirname(json), { recursive: true });
    await writeFile(json, `${JSON.stringify({ passed: total.passed, failed: total.failed }, undefined, 2)}\n`);
  }
  return total.failed.length === 0 ? 0 : 1;
}

async function runPart(name: PartName, context: Context): Promise<Outcome> {
  const began = performance.now();
  const part = (await import(`./${name}.js`)) as Part;
  const outcome = await part.run(context);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(`${name}: ${outcome.passed} passed, ${outcome.failed.length} failed (${seconds} s)`);
  return outcome;
}

process.exit(await main(process.argv.slice(2)));
