/**
 * `npm run smoke -- --stack NAME`: after `pulumi up`, one agent through the load balancer; and where that fails, what ECS
 * knows and where the logs are. The API key is read from the stack's outputs and never shown.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stackConfig, stackNames } from "../engine/stackFiles.js";
import { createAsk } from "../preflight/command.js";
import { type Aws, reasons, rollouts } from "./autopsy.js";
import { type Outputs, readOutputs, SmokeFailure } from "./outputs.js";
import { limits, type Trial, TrialFailure, tryAgent } from "./trial.js";

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
  const { values } = stackConfig(root, options.stack);
  const region = values["aws:region"] ?? "";
  const profile = values["aws:profile"];
  const aws: Aws = (...args) =>
    ask(
      "aws",
      [...args, "--region", region, "--output", "json"],
      profile ? { environment: { AWS_PROFILE: profile } } : {},
    );
  const show = (text: string) => process.stdout.write(`${text.replaceAll(outputs.apiKey, "(the API key)")}\n`);
  show(`wait  ${outputs.url}: ${limits.firstMs / 1000} s for the servers, ${limits.runMs / 1000} s for the run`);
  for (const note of await rollouts(outputs, aws)) show(`note  ${note}`);
  try {
    show(`ok    ${outputs.url}: ${await tryAgent(outputs, options)}`);
    return 0;
  } catch (error) {
    show(`FAIL  ${outputs.url}: ${wordsOf(error)}`);
    const where = error instanceof TrialFailure ? error.where : "deployment";
    for (const line of helpWith(where, outputs, options.stack, values)) show(`      ${line}`);
    // An agent's own mistake stops no task: why it made it is in the logs.
    if (where !== "agent") for (const reason of await reasons(outputs, aws)) show(`      ${reason}`);
    show(`      logs: ${profile ? `AWS_PROFILE=${profile} ` : ""}${outputs.logs}`);
    return 1;
  }
}

/** What can be done where nobody answers. */
function helpWith(
  where: TrialFailure["where"],
  { access, dnsRecord }: Outputs,
  stack: string,
  values: Record<string, string>,
): string[] {
  if (where === "name") return [dnsRecord ?? "The name is new: DNS may need some minutes to know it"];
  if (where !== "way") return [];
  const networks: unknown = JSON.parse(values["switchyard:allowedCidrs"] ?? "[]");
  const next = Array.isArray(networks) ? networks.length : 0;
  const set = `pulumi config set --stack ${stack} --path 'allowedCidrs[${next}]'`;
  return [
    access,
    `mend: ${set} "$(curl -s https://checkip.amazonaws.com)/32" && pulumi up --stack ${stack}, if this address is not allowed`,
  ];
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

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${wordsOf(error)}\n`);
  process.exitCode = error instanceof SmokeFailure ? error.exitCode : 1;
}
