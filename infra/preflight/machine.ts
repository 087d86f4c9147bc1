/** What this machine must have: a Pulumi login, and what it takes to build an image of agents that load. */
import { join } from "node:path";
import type { Config } from "../config.js";
import type { Ask } from "./command.js";
import type { Check, Outcome } from "./outcome.js";

/** @param root the folder of Pulumi.yaml */
export function machineChecks(config: Config, root: string, ask: Ask): Check[] {
  return [
    { name: "pulumi", run: () => pulumi(ask) },
    { name: "image", run: () => image(config, ask) },
    { name: "agents", run: () => agents(config, root, ask) },
  ];
}

async function pulumi(ask: Ask): Promise<Outcome> {
  const answer = await ask("pulumi", ["whoami", "--non-interactive"]);
  if (answer.code === undefined)
    return {
      problem: "the command pulumi is not there",
      mend: "install it: https://www.pulumi.com/docs/iac/download-install/",
      missing: true,
    };
  return answer.code === 0
    ? { found: `logged in as ${answer.stdout.trim()}` }
    : {
        problem: `no login: ${answer.complaint}`,
        mend: "pulumi login, or pulumi login s3://YOUR-BUCKET, or pulumi login --local",
      };
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
async function agents({ image: source, secrets, environment }: Config, root: string, ask: Ask): Promise<Outcome> {
  if ("ready" in source) return { found: "in the image: its build has loaded them" };
  const folder = source.agents ?? join(root, "app/agents");
  const deployed = [...Object.keys(secrets), ...Object.keys(environment)];
  const answer = await ask(process.execPath, ["--import", "tsx", "app/main.ts", "check", ...deployed], {
    LANGGRAPH_CONFIG_FILE: join(folder, "langgraph.json"),
  });
  const graphs = [...answer.stdout.matchAll(/^graph (.*)$/gm)].map(([, id]) => id);
  return answer.code === 0
    ? { found: graphs.join(", ") }
    : { problem: answer.complaint, mend: `npm start -- --config ${join(folder, "langgraph.json")} until it starts` };
}
