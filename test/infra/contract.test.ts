/**
 * The environment is the one contract between the two halves, which never import each other: what the program gives its
 * containers starts the real app here, with the user and the rights that it gives in Valkey.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { type RecordedResource, type Recording, resourceOf } from "../../infra/engine/recording.js";
import { runProgram } from "../../infra/engine/run.js";
import { stackConfig } from "../../infra/engine/stackFiles.js";
import { tryAgent } from "../../infra/smoke/trial.js";
import { type Container, deploy } from "../image/support/deployment.js";

const root = join(import.meta.dirname, "../..");
const input = { messages: [{ role: "user", content: "hello" }] };

test.each([
  ["dev", {}],
  ["prod", { domain: "agents.company.test", "aws:allowedAccountIds": undefined }],
])(
  "%s: an agent runs through both roles in the environment that the program writes",
  { timeout: 60_000 },
  async (stack, changes) => {
    const recording = await runProgram({
      root,
      stack,
      config: stackConfig(root, stack, changes),
      zones: ["company.test"],
    });
    expect(recording.errors).toEqual([]);
    const server = container(recording, "servers");
    const worker = container(recording, "workers");
    expect(server.secrets).toEqual(expect.arrayContaining(["API_KEY_HASHES", "REDIS_PASSWORD"]));
    expect(worker.secrets).not.toContain("API_KEY_HASHES");

    const user = resourceOf(recording, "aws:elasticache/user:User", "cache-app");
    expect(user.inputs.userName).toBe(server.environment.REDIS_USERNAME);
    const deployed = await deploy({ server, worker, accessString: String(user.inputs.accessString) });
    const trial = { agent: "echo", input };
    expect(await tryAgent({ url: deployed.server.url, apiKey: deployed.apiKey }, trial)).toMatch(/^echo answered/);
    for (const role of [deployed.server, deployed.worker]) {
      expect(role.output()).not.toMatch(/NOPERM|NOAUTH/);
      expect(await role.stop()).toBe(0);
    }
  },
);

interface Definition {
  environment: { name: string; value: string }[];
  secrets: { name: string }[];
}

/** What ECS would put into the environment of a role. */
function container(recording: Recording, name: string): Container {
  const task: RecordedResource = resourceOf(recording, "aws:ecs/taskDefinition:TaskDefinition", name);
  const [definition]: Definition[] = JSON.parse(String(task.inputs.containerDefinitions));
  return {
    environment: Object.fromEntries((definition?.environment ?? []).map((each) => [each.name, each.value])),
    secrets: (definition?.secrets ?? []).map((each) => each.name),
  };
}
