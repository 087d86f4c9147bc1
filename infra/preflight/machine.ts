/** What this machine must have: a Pulumi login, and what it takes to build an image of agents that load. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isObject } from "../config/values.js";
import type { Config } from "../config.js";
import { type Answer, type Ask, parsed } from "./command.js";
import type { Check, Outcome } from "./outcome.js";

/** Of the SDK that the program is written with. */
const OLDEST_PULUMI = [3, 248] as const;

/** Exit code of Node.js where a top-level await never settles. */
const UNSETTLED = 13;

/** @param root the folder of Pulumi.yaml */
export function machineChecks(config: Config, root: string, ask: Ask): Check[] {
  const login = ask("pulumi", ["whoami", "--non-interactive"]);
  return [
    { name: "pulumi", run: async () => pulumi(await login, ask) },
    { name: "stack", run: async () => stackThere(config.stack, await login, ask) },
    { name: "image", run: () => image(config, ask) },
    { name: "agents", run: () => agents(config, root, ask) },
  ];
}

async function pulumi(answer: Answer, ask: Ask): Promise<Outcome> {
  if (answer.code === undefined)
    return {
      problem: "the command pulumi is not there",
      mend: "install it: https://www.pulumi.com/docs/iac/download-install/",
      missing: true,
    };
  if (answer.code !== 0)
    return {
      problem: `no login: ${answer.complaint}`,
      mend: "pulumi login, or pulumi login s3://YOUR-BUCKET, or pulumi login --local",
    };
  const version = (await ask("pulumi", ["version"])).stdout.trim();
  return isOlder(version, OLDEST_PULUMI)
    ? {
        problem: `${version} is too old, ${OLDEST_PULUMI.join(".")} is needed`,
        mend: "install a newer one: https://www.pulumi.com/docs/iac/download-install/",
        missing: true,
      }
    : { found: `${version}, logged in as ${answer.stdout.trim()}` };
}

/** @param version such as v3.248.0 */
function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, ofMajor, ofMinor] = /^v?(\d+)\.(\d+)\./.exec(version) ?? [];
  return Number(ofMajor) < major || (Number(ofMajor) === major && Number(ofMinor) < minor);
}

async function stackThere(stack: string, login: Answer, ask: Ask): Promise<Outcome> {
  if (login.code !== 0) return { problem: "unknown without a Pulumi login", mend: "as for pulumi" };
  const answer = await ask("pulumi", ["stack", "ls", "--json", "--non-interactive"]);
  if (answer.code !== 0)
    return { problem: `can't be seen: ${answer.complaint}`, mend: "pulumi stack ls, until it answers" };
  const stacks = parsed(answer, "pulumi");
  // With an organisation that is not the login's own the name begins with it.
  const names = (Array.isArray(stacks) ? stacks : []).map(
    (each) => isObject(each) && String(each.name).split("/").at(-1),
  );
  return names.includes(stack)
    ? { found: stack }
    : { problem: `${stack} is not there yet`, mend: `pulumi stack init ${stack}` };
}

async function image(config: Config, ask: Ask): Promise<Outcome> {
  if ("ready" in config.image) return { found: `${config.image.ready}, nothing is built` };
  const without = "or set image to a ready one, name@sha256:…, and nothing is built here";
  const server = await ask("docker", ["info", "--format", "{{.ServerVersion}}"]);
  if (server.code === undefined)
    return { problem: "the command docker is not there", mend: `install Docker, ${without}`, missing: true };
  if (server.code !== 0) return { problem: `Docker does not run: ${server.complaint}`, mend: `start it, ${without}` };
  const buildx = await ask("docker", ["buildx", "version"]);
  return buildx.code === 0
    ? { found: `Docker ${server.stdout.trim()} builds it` }
    : { problem: "Docker has no buildx", mend: `install docker-buildx-plugin, ${without}`, missing: true };
}

/** With the app's own code, in a process of its own, as the build will do it. */
async function agents(
  { image: source, secrets, environment, stack }: Config,
  root: string,
  ask: Ask,
): Promise<Outcome> {
  if ("ready" in source) return { found: "in the image: its build has loaded them" };
  const folder = source.agents ?? join(root, "app/agents");
  const deployed = [...Object.keys(secrets), ...Object.keys(environment)];
  const answer = await ask(process.execPath, ["--import", "tsx", "app/main.ts", "check", ...deployed], {
    environment: { LANGGRAPH_CONFIG_FILE: join(folder, "langgraph.json") },
    // A key of this shell would hide that the build and the tasks don't have it.
    bare: true,
  });
  const graphs = [...answer.stdout.matchAll(/^graph (.*)$/gm)].map(([, id]) => id);
  if (answer.code === 0 && graphs.length > 0) return { found: graphs.join(", ") };
  const problem = answer.code === 0 ? "a graph's file ends the process before it is loaded" : loadFailure(answer);
  return { problem, mend: mendOf(problem, folder, stack) };
}

/** The words among all that Node.js writes around them: a stack, its version, warnings. */
function loadFailure({ code, stderr, complaint }: Answer): string {
  if (code === UNSETTLED) return "a graph's file waits at its top level for what never comes";
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !/^\s+at |^Node\.js v/.test(line));
  const refused = lines.find((line) => line.includes("langgraph.json"));
  return refused ?? lines.find((line) => /^(Uncaught )?[\w$.]*Error\b/.test(line)) ?? lines.at(-1) ?? complaint;
}

function mendOf(problem: string, folder: string, stack: string): string {
  if (/is not installed|npm install/.test(problem)) return `(cd ${folder} && ${installIn(folder)})`;
  const variable = /(?<![\w/.-])(?!ERR_)[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w/.-]\w)/.exec(problem)?.[0];
  const secret = `pulumi config set --stack ${stack} --secret --path secrets.${variable ?? "NAME"} …`;
  return variable === undefined
    ? `npm start -- --config ${join(folder, "langgraph.json")} until it starts; for a variable it lacks: ${secret}`
    : secret;
}

function installIn(folder: string): string {
  if (existsSync(join(folder, "pnpm-lock.yaml"))) return "pnpm install";
  return existsSync(join(folder, "yarn.lock")) ? "yarn install" : "npm install";
}
