import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../../infra/config.js";
import { stackConfig } from "../../infra/engine/stackFiles.js";
import { accessCheck } from "../../infra/preflight/access.js";
import { accountChecks } from "../../infra/preflight/account.js";
import { type Answer, createAsk } from "../../infra/preflight/command.js";
import { machineChecks } from "../../infra/preflight/machine.js";
import { exitCodeOf, type Outcome, outcomeOf } from "../../infra/preflight/outcome.js";
import { type Answers, runWith } from "./support/standIns.js";

const root = join(import.meta.dirname, "../..");
const program = "infra/preflight/main.ts";
const account = "123456789012";

const aws: Answers = {
  "sts get-caller-identity": { Account: account, Arn: `arn:aws:iam::${account}:user/ada` },
  "ec2 describe-availability-zones": { AvailabilityZones: [{ State: "available" }, { State: "available" }] },
  "iam get-role": { Role: {} },
  "route53 list-hosted-zones": {
    HostedZones: [
      { Name: "private.test.", Config: { PrivateZone: true } },
      { Name: "company.test.", Config: { PrivateZone: false } },
    ],
  },
  "acm describe-certificate": { Certificate: { Status: "ISSUED" } },
};
const machine = {
  pulumi: { whoami: "ada", version: "v3.250.1", "stack ls": [{ name: "dev" }, { name: "acme/prod" }] },
  docker: { info: "29.1.0", buildx: "v0.30" },
};

/** What the checks find for a stack with changed keys, where commands answer as given. */
async function check(
  changes: Record<string, unknown>,
  answers: { aws?: Answers; pulumi?: Answers; docker?: Answers } = {},
) {
  const { values, secretKeys } = stackConfig(root, "dev", changes);
  const config = parseConfig("dev", values, (key) => secretKeys.includes(key));
  const pulumi = { ...machine.pulumi, ...answers.pulumi };
  const all: Record<string, Answers> = { ...machine, ...answers, pulumi, aws: { ...aws, ...answers.aws } };
  const asked: string[] = [];
  const ask = async (name: string, args: string[]): Promise<Answer> => {
    const line = args.join(" ");
    asked.push(`${name} ${line}`);
    if (name === process.execPath) return { code: 0, stdout: "graph echo\n", complaint: "", stderr: "" };
    const found = Object.entries(all[name] ?? {}).find(([begin]) => line.startsWith(begin))?.[1];
    if (found === undefined) return { code: undefined, stdout: "", complaint: "", stderr: "" };
    if (typeof found === "object" && "complaint" in found)
      return { code: 254, stdout: "", complaint: String(found.complaint), stderr: "" };
    return { code: 0, stdout: typeof found === "string" ? found : JSON.stringify(found), complaint: "", stderr: "" };
  };
  const outcomes: Record<string, Outcome> = {};
  const checks = [...accountChecks(config, values, ask), accessCheck(config), ...machineChecks(config, root, ask)];
  for (const each of checks) outcomes[each.name] = await outcomeOf(each);
  return { outcomes, asked };
}

const withDomain = { plainHttp: false, domain: "agents.company.test" };

describe("the command", () => {
  test("tells a line for each check, the one that failed with its mend", async () => {
    const { code, stdout } = await runWith({ aws, ...machine }, program, ["--stack", "dev"]);
    expect(stdout.match(/^(ok|FAIL) +(service roles|\w+)/gm)?.map((begin) => begin.replace(/ +/, " "))).toEqual([
      ...["ok credentials", "ok account", "ok region", "ok service roles", "ok domain"],
      "FAIL access",
      ...["ok pulumi", "ok stack", "ok image", "ok agents"],
    ]);
    expect(stdout).toContain(
      "mend: pulumi config set --stack dev --path 'allowedCidrs[0]' \"$(curl -s https://checkip.amazonaws.com)/32\"",
    );
    expect(stdout).toContain("echo, writer, approval, research, chat");
    expect(code).toBe(1);
  });

  test("refuses the placeholders of prod, each with its mend, and ends with 1", async () => {
    const { code, stdout } = await runWith({ aws, ...machine }, program, ["--stack", "prod"]);
    expect(stdout).toMatch(
      /FAIL {2}account .*placeholder 000000000000\n.*mend: pulumi config set --stack prod --path 'aws:allowedAccountIds\[0\]' 123456789012/,
    );
    expect(stdout).toMatch(
      /FAIL {2}domain .*agents.example.com is a placeholder\n.*mend: pulumi config set --stack prod domain/,
    );
    expect(code).toBe(1);
  });

  test("ends with 3 where a program is missing, and says where to get it", async () => {
    const { code, stdout } = await runWith({ docker: machine.docker }, program, ["--stack", "dev"]);
    expect(stdout).toMatch(/FAIL {2}credentials .*aws is not there\n.*mend: install the AWS CLI/);
    expect(stdout).toMatch(/FAIL {2}pulumi .*not there\n.*mend: install it: https/);
    expect(code).toBe(3);
  });

  test("ends with 2 for wrong usage, naming the stacks; --help is no mistake", async () => {
    const wrong = await runWith({}, program, ["--stack", "nope"]);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("There is no Pulumi.nope.yaml. Stacks here: dev, prod, staging"),
    });
    expect(await runWith({}, program, ["--stak", "dev"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("See npm run preflight -- --help"),
    });
    expect(await runWith({}, program, ["--help"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("--stack NAME"),
    });
  });
});

test("where all is well nothing has to be done", async () => {
  const { outcomes } = await check({ allowedCidrs: ["203.0.113.7/32"] });
  expect(outcomes.access).toEqual({ found: "open to 203.0.113.7/32" });
  expect(exitCodeOf(Object.values(outcomes))).toBe(0);
});

test("an internal load balancer is open only inside, and to nobody unless the stack says whom", async () => {
  const { outcomes } = await check({ scheme: "internal" });
  expect(outcomes.access).toMatchObject({ problem: expect.stringContaining("nobody can connect, not even inside") });
  const open = await check({ scheme: "internal", allowedCidrs: ["10.0.0.0/8"] });
  expect(open.outcomes.access).toEqual({
    found: "open to 10.0.0.0/8 inside the VPC and the networks joined to it",
  });
});

test("a stack that is not there is made, and an old Pulumi replaced", async () => {
  const { outcomes } = await check({}, { pulumi: { "stack ls": [{ name: "prod" }], version: "v3.99.0" } });
  expect(outcomes.stack).toEqual({ problem: "dev is not there yet", mend: "pulumi stack init dev" });
  expect(outcomes.pulumi).toMatchObject({ problem: "v3.99.0 is too old, 3.248 is needed", missing: true });
});

test("a login that has expired is told once, with its profile; the rest is unknown", async () => {
  const expired = { complaint: "Error when retrieving token from sso: Token has expired and refresh failed" };
  const changes = { ...withDomain, "aws:profile": "work" };
  const { outcomes, asked } = await check(changes, { aws: { "sts get-caller-identity": expired } });
  expect(outcomes.credentials).toMatchObject({ mend: "aws sso login --profile work" });
  for (const name of ["account", "region", "service roles", "domain"])
    expect(outcomes[name]).toMatchObject({ problem: "unknown without credentials" });
  expect(asked.filter((line) => line.startsWith("aws"))).toHaveLength(1);
});

test("a region that may not be seen is told apart from one that is not enabled", async () => {
  const found = async (complaint: string) =>
    (await check({}, { aws: { "ec2 describe-availability-zones": { complaint } } })).outcomes.region;
  expect(await found("An error occurred (UnauthorizedOperation)")).toMatchObject({
    mend: "use a login that may call ec2:DescribeAvailabilityZones",
  });
  expect(await found("An error occurred (AuthFailure)")).toMatchObject({
    mend: expect.stringContaining(
      "aws account enable-region --region-name us-east-1, or pulumi config set --stack dev",
    ),
  });
});

test("a login for another account than the stack's is refused", async () => {
  const { outcomes } = await check({ "aws:allowedAccountIds": ["210987654321"] });
  expect(outcomes.account).toMatchObject({ problem: `this login is for ${account}, the stack is for 210987654321` });
  expect((await check({ "aws:allowedAccountIds": [account] })).outcomes.account).toHaveProperty("found");
});

test("missing service-linked roles are named with the command that makes them", async () => {
  const none = { "iam get-role": { complaint: "An error occurred (NoSuchEntity) when calling the GetRole operation" } };
  const { outcomes } = await check({}, { aws: none });
  expect(outcomes["service roles"]).toMatchObject({
    mend: expect.stringContaining("aws iam create-service-linked-role --aws-service-name elasticache.amazonaws.com"),
  });
  const adopted = await check({ redisUrl: "rediss://redis.company.test:6379" }, { aws: none });
  expect(JSON.stringify(adopted.outcomes["service roles"])).not.toContain("elasticache");
});

test("a domain needs its public zone, or a certificate that is issued", async () => {
  expect((await check(withDomain)).outcomes.domain).toEqual({ found: "agents.company.test in the zone company.test" });
  const elsewhere = await check({ ...withDomain, domain: "agents.private.test" });
  expect(elsewhere.outcomes.domain).toMatchObject({ problem: expect.stringContaining("no public Route 53 zone") });
  const certificateArn = `arn:aws:acm:us-east-1:${account}:certificate/1`;
  expect((await check({ ...withDomain, certificateArn })).outcomes.domain).toHaveProperty("found");
  const pending = { "acm describe-certificate": { Certificate: { Status: "PENDING_VALIDATION" } } };
  expect((await check({ ...withDomain, certificateArn }, { aws: pending })).outcomes.domain).toMatchObject({
    problem: "the certificate is not usable: PENDING_VALIDATION",
  });
});

test("a ready image needs neither Docker nor the agents here", async () => {
  const image = `ghcr.io/me/agents@sha256:${"0".repeat(64)}`;
  const { outcomes, asked } = await check({ image });
  expect([outcomes.image, outcomes.agents]).toEqual([
    { found: expect.stringContaining(image) },
    { found: expect.anything() },
  ]);
  expect(asked.filter((line) => line.startsWith("docker"))).toEqual([]);
});

test("Docker that does not run, and no Pulumi login, are told apart from what is not installed", async () => {
  const { outcomes } = await check(
    {},
    {
      docker: { info: { complaint: "Cannot connect to the Docker daemon" } },
      pulumi: { whoami: { complaint: "no login" } },
    },
  );
  expect(outcomes.image).toMatchObject({ problem: "Docker does not run: Cannot connect to the Docker daemon" });
  expect(outcomes.pulumi).toMatchObject({ mend: expect.stringContaining("pulumi login") });
  expect(outcomes.image).not.toHaveProperty("missing");
});

test("graphs are loaded with placeholders for the stack's secrets and environment", async () => {
  const { asked } = await check({
    environment: { TEAM: "blue" },
    secrets: { MODEL_KEY: `arn:aws:secretsmanager:us-east-1:${account}:secret:model-AbCdEf` },
  });
  expect(asked.at(-1)).toContain("app/main.ts check MODEL_KEY TEAM");
});

test("a program that answers something else than JSON fails its check, and no other", async () => {
  const { outcomes } = await check({}, { aws: { "ec2 describe-availability-zones": "you are in a maze" } });
  expect(outcomes.region).toMatchObject({ problem: "aws answered no JSON" });
  expect(outcomes.account).toHaveProperty("found");
});

describe("agents of one's own", () => {
  /** What the check finds for a project of one graph, loaded as it is by the command. */
  async function load(code: string, { more = {}, changes = {}, files = {} }: Given = {}) {
    const folder = await mkdtemp(join(tmpdir(), "switchyard-agents-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    const graph = `import { MessagesAnnotation, StateGraph } from "@langchain/langgraph";
      export const graph = new StateGraph(MessagesAnnotation)
        .addNode("say", () => ({})).addEdge("__start__", "say").compile();`;
    const all = {
      "package.json": '{"type": "module"}',
      "agent.ts": `${code}\n${graph}`,
      "langgraph.json": JSON.stringify({ graphs: { mine: "./agent.ts:graph" }, ...more }),
      ...files,
    };
    for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text);
    const { values, secretKeys } = stackConfig(root, "dev", { agents: folder, ...changes });
    const config = parseConfig("dev", values, (key) => secretKeys.includes(key));
    const agents = machineChecks(config, root, createAsk(root)).find(({ name }) => name === "agents");
    return { folder, outcome: agents && (await outcomeOf(agents)) };
  }
  interface Given {
    more?: object;
    changes?: Record<string, unknown>;
    files?: Record<string, string>;
  }

  const needsKey = 'if (!process.env.MODEL_KEY) throw new Error("MODEL_KEY is missing");';

  test("load without the keys that only this shell or its .env has, as the build does", async () => {
    process.env.MODEL_KEY = "of this shell";
    onTestFinished(() => {
      delete process.env.MODEL_KEY;
    });
    const { outcome } = await load(needsKey, { more: { env: ".env" }, files: { ".env": "MODEL_KEY=of-the-file" } });
    expect(outcome).toMatchObject({
      problem: expect.stringContaining("MODEL_KEY is missing"),
      mend: "pulumi config set --stack dev --secret --path secrets.MODEL_KEY …",
    });
    const secrets = { MODEL_KEY: `arn:aws:secretsmanager:us-east-1:${account}:secret:model-AbCdEf` };
    expect((await load(needsKey, { changes: { secrets } })).outcome).toEqual({ found: "mine" });
  });

  test.each([
    [
      "throws after it is loaded",
      'setTimeout(() => { throw new TypeError("too late"); });await new Promise((go) => setTimeout(go, 9000));',
      "TypeError: too late",
    ],
    ["never settles", "await new Promise(() => {});", "a graph's file waits at its top level for what never comes"],
    ["ends the process", "process.exit(0);", "a graph's file ends the process before it is loaded"],
    ["is no TypeScript", "const = 1;", 'agent.ts:1:6: ERROR: Expected identifier but found "="'],
  ])("one that %s is told in its words", async (_, code, says) => {
    expect((await load(code)).outcome).toMatchObject({ problem: expect.stringContaining(says) });
  });

  test("a package that is missing is installed as the project's lock says", async () => {
    const { outcome, folder } = await load('import "not-there";', { files: { "yarn.lock": "" } });
    expect(outcome).toMatchObject({ mend: `(cd ${folder} && yarn install)` });
  });
});
