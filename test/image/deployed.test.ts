/** What a container meets on AWS: Redis by TLS alone, a login with the rights of its user, an API key known by its hash. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { tryAgent } from "../../infra/smoke/trial.js";
import { builtApp } from "../support/build.js";
import { type Deployment, deploy } from "./support/deployment.js";
import { startRole } from "./support/role.js";

const environment = { REDIS_USERNAME: "app", KEY_PREFIX: "sw", STACK_NAME: "dev", DRAIN_SECONDS: "5" };
const deployment: Deployment = {
  server: { environment, secrets: ["REDIS_PASSWORD", "API_KEY_HASHES"] },
  worker: { environment, secrets: ["REDIS_PASSWORD"] },
  accessString: "on ~{sw:* ~sw:* &{sw:* &sw:* +@all -@dangerous +info +role",
};
const input = { messages: [{ role: "user", content: "hello" }] };

test("an agent runs through both roles, as the smoke test will ask, for who has the key", async () => {
  const { server, worker, apiKey } = await deploy(deployment);
  const trial = { agent: "echo", input };
  expect(await tryAgent({ url: server.url, apiKey }, trial)).toMatch(/^echo answered .* metadata, \d+ values, end$/);
  await expect(tryAgent({ url: server.url, apiKey: "wrong" }, trial)).rejects.toThrow("API key (401)");
  expect((await fetch(`${server.url}/ok`)).status).toBe(200);
  expect(server.output() + worker.output()).not.toMatch(/NOPERM|NOAUTH|certificate/i);
});

test("a server that does not know the authority, or has the wrong password, ends with a sentence", async () => {
  const { serverEnvironment } = await deploy(deployment);
  const main = join(builtApp(), "main.js");
  const start = (changes: NodeJS.ProcessEnv) =>
    startRole({ main, role: "server", environment: { ...serverEnvironment, ...changes } });
  const refused =
    /Redis at localhost:\d+ does not answer \(.*(certificate|WRONGPASS).*\); check REDIS_URL, REDIS_CLUSTER and the login/;
  await Promise.all([
    expect(start({ REDIS_CA_FILE: undefined })).rejects.toThrow(refused),
    expect(start({ REDIS_PASSWORD: "wrong" })).rejects.toThrow(refused),
  ]);
});
