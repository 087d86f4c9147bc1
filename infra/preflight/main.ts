/**
 * `npm run preflight -- --stack NAME`: what would stop `pulumi up` after minutes, asked in seconds. A line for each check,
 * with the mend.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseConfig } from "../config.js";
import { stackConfig, stackNames } from "../engine/stackFiles.js";
import { accessCheck } from "./access.js";
import { accountChecks } from "./account.js";
import { createAsk } from "./command.js";
import { machineChecks } from "./machine.js";
import { exitCodeOf, lineOf, outcomeOf } from "./outcome.js";

const root = join(import.meta.dirname, "../..");

const usage = `npm run preflight -- --stack NAME

Checks, before pulumi up: the stack's configuration, AWS credentials, account and region, service-linked roles, the
domain, who may connect, the Pulumi login and its stack, Docker (unless the stack has an image), and that every graph of the agents loads.
It changes nothing. It asks the commands aws, pulumi and docker.

  --stack NAME   of Pulumi.NAME.yaml
  --help         this text

Exit codes: 0 all is well, 1 a check failed, 2 wrong usage or configuration, 3 something must be installed.
`;

async function main(args: string[]): Promise<number> {
  const stack = stackOf(args);
  if (stack === undefined) return 0;
  const { values, secretKeys } = stackConfig(root, stack);
  const config = parseConfig(stack, values, (key) => secretKeys.includes(key));
  const ask = createAsk(root);
  const checks = [...accountChecks(config, values, ask), accessCheck(config), ...machineChecks(config, root, ask)];
  // All at once, told in their order.
  const running = checks.map((check) => ({ name: check.name, outcome: outcomeOf(check) }));
  for (const { name, outcome } of running) process.stdout.write(`${lineOf(name, await outcome)}\n`);
  return exitCodeOf(await Promise.all(running.map(({ outcome }) => outcome)));
}

/** Undefined where the help was asked for. @throws with the usage's mend */
function stackOf(args: string[]): string | undefined {
  const { stack, help } = parse(args);
  if (help) {
    process.stdout.write(usage);
    return undefined;
  }
  const names = stackNames(root);
  if (stack !== undefined && names.includes(stack)) return stack;
  const problem = stack === undefined ? "--stack is missing" : `There is no Pulumi.${stack}.yaml`;
  throw new Error(`${problem}. Stacks here: ${names.join(", ") || "none; make one: pulumi stack init NAME"}`);
}

function parse(args: string[]) {
  try {
    const options = { stack: { type: "string" }, help: { type: "boolean", short: "h" } } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}. See npm run preflight -- --help`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
