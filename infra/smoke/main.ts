/**
 * `npm run smoke -- --stack NAME`: after `pulumi up`, one agent through the load balancer; and where that fails, what ECS
 * knows and where the logs are. The API key is read from the stack's outputs and never shown.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stackConfig, stackNames } from "../engine/stackFiles.js";
import { createAsk } from "../preflight/command.js";
import { reasons } from "./autopsy.js";
import { readOutputs, SmokeFailure } from "./outputs.js";
import { type Trial, tryAgent } from "./trial.js";

const root = join(import.meta.dirname, "../..");

const usage = `npm run smoke -- --stack NAME [options]

Runs an agent of a deployed stack through its load balancer and checks what it streams.

  --stack NAME   of Pulumi.NAME.yaml
  --agent ID     which agent (echo where it is deployed, else the first)
  --input JSON   what it gets ({"messages": [{"role": "user", "content": "hello"}]})
  --help         this text

Exit codes: 0 it answered, 1 it did not, 2 wrong usage, 3 something must be installed.
`;

interface Options extends Trial {
  stack: string;
}

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const ask = createAsk(root);
  const outputs = await readOutputs(options.stack, ask);
  const show = (text: string) => process.stdout.write(`${text.replaceAll(outputs.apiKey, "(the API key)")}\n`);
  try {
    show(`ok    ${outputs.url}: ${await tryAgent(outputs, options)}`);
    return 0;
  } catch (error) {
    show(`FAIL  ${outputs.url}: ${wordsOf(error)}`);
    show(`      ${outputs.access}`);
    const region = stackConfig(root, options.stack).values["aws:region"] ?? "";
    for (const reason of await reasons(outputs, region, ask)) show(`      ${reason}`);
    show(`      logs: ${outputs.logs}`);
    return 1;
  }
}

/** Undefined where the help was asked for. @throws SmokeFailure 2 */
function readOptions(args: string[]): Options | undefined {
  const { stack, agent, input, help } = parse(args);
  if (help) return undefined;
  const names = stackNames(root);
  if (stack === undefined || !names.includes(stack)) {
    const problem = stack === undefined ? "--stack is missing" : `There is no Pulumi.${stack}.yaml`;
    throw new SmokeFailure(2, `${problem}. Stacks here: ${names.join(", ")}`);
  }
  try {
    return { stack, agent, input: JSON.parse(input ?? '{"messages": [{"role": "user", "content": "hello"}]}') };
  } catch {
    throw new SmokeFailure(2, `--input must be JSON, not ${input}`);
  }
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  try {
    const options = { stack: text, agent: text, input: text, help: { type: "boolean", short: "h" } } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new SmokeFailure(2, `${wordsOf(error)}. See npm run smoke -- --help`);
  }
}

/** `fetch` says only that it failed; why is its cause. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SmokeFailure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
