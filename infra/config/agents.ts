/** What runs: an image to build or one that is ready, and the agents' environment. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { repositoryArn } from "../ecr.js";
import { environmentName, holdsPassword, isReserved, looksSecret } from "../environment.js";
import { isObject, type StackValues } from "./values.js";

export type ImageSource =
  | { ready: string }
  | {
      /** Folder of the user's project, or undefined for the bundled agents. */
      agents: string | undefined;
      npmToken: string | undefined;
    };

/** The ARN of a Secrets Manager secret (with an optional JSON key), or a value to keep in one. */
export type SecretSource = { arn: string } | { value: string };

/** @param root the folder that relative paths begin at */
export function readImage(values: StackValues, root: string, internet: boolean): ImageSource {
  const agents = values.text("agents");
  const npmToken = values.text("npmToken");
  if (npmToken !== undefined && !values.isSecret("npmToken"))
    values.problem(`${values.project}:npmToken is in plain text; set it with pulumi config set --secret npmToken ...`);
  const ready = values.matching(
    "image",
    /^[a-z0-9][\w.-]*(:\d+)?(\/[\w.-]+)+@sha256:[0-9a-f]{64}$/,
    "it must be pinned by its digest, not a tag: registry/name@sha256: and 64 hexadecimal digits",
  );
  if (ready !== undefined) {
    if (agents !== undefined) values.refuse("image", ready, `agents (${agents}) is given too; keep one of them`);
    if (npmToken !== undefined) values.problem(`${values.project}:npmToken: with image nothing is built; remove it`);
    if (!internet && repositoryArn(ready) === undefined)
      values.refuse("image", ready, "with internet false it must be in Amazon ECR: nothing else can be reached");
    return { ready };
  }
  if (agents === undefined) return { agents, npmToken };
  const folder = resolve(root, agents);
  for (const file of ["langgraph.json", "package.json"])
    if (!holdsObject(join(folder, file)))
      values.refuse("agents", agents, `it must be a folder with a ${file} of valid JSON; there is none in ${folder}`);
  return { agents: folder, npmToken };
}

function holdsObject(file: string): boolean {
  try {
    return isObject(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return false;
  }
}

export function readSecrets(values: StackValues): Record<string, SecretSource> {
  const secrets: Record<string, SecretSource> = {};
  const arn =
    /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+-[A-Za-z0-9]{6}(:[^:]*:[^:]*:[^:]*)?$/;
  for (const [name, value] of Object.entries(values.texts("secrets"))) {
    if (!nameAllowed(values, "secrets", name)) continue;
    if (arn.test(value)) secrets[name] = { arn: value };
    else if (value === "" || value.startsWith("arn:"))
      values.refuse(
        `secrets.${name}`,
        value,
        "it must be a value or the full ARN of a Secrets Manager secret, with the six characters that AWS adds to its name",
      );
    else if (values.isSecret("secrets")) secrets[name] = { value };
    else
      values.problem(
        `${values.project}:secrets.${name} is in plain text; ` +
          `set it with pulumi config set --secret --path secrets.${name} ...`,
      );
  }
  return secrets;
}

export function readEnvironment(values: StackValues, secrets: Record<string, SecretSource>): Record<string, string> {
  if (values.isSecret("environment"))
    values.problem(`${values.project}:environment is encrypted; what must stay secret goes into secrets`);
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(values.texts("environment"))) {
    if (!nameAllowed(values, "environment", name)) continue;
    if (looksSecret(name))
      values.problem(
        `${values.project}:environment.${name} looks like a secret, and many may read a task definition; ` +
          `use pulumi config set --secret --path secrets.${name} ...`,
      );
    if (holdsPassword(value))
      values.problem(
        `${values.project}:environment.${name} holds an address with a password, and many may read a task definition; ` +
          `use pulumi config set --secret --path secrets.${name} ...`,
      );
    if (Object.hasOwn(secrets, name))
      values.problem(`${values.project}:environment.${name} is in secrets too; keep one of them`);
    environment[name] = value;
  }
  return environment;
}

function nameAllowed(values: StackValues, key: string, name: string): boolean {
  if (isReserved(name)) values.problem(`${values.project}:${key}.${name} is set by the program itself; remove it`);
  else if (!environmentName.test(name))
    values.problem(`${values.project}:${key}.${name} is no name of a variable; use letters, digits and underscores`);
  else return true;
  return false;
}
