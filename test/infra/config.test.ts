import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { parseConfig } from "../../infra/config.js";
import { SecretText, stackConfig, stackNames } from "../../infra/engine/stackFiles.js";
import { fargateCpus, fargateMemories } from "../../infra/fargateSizes.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const digest = `123456789012.dkr.ecr.us-east-1.amazonaws.com/agents@sha256:${"a".repeat(64)}`;
const certificate = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d";

/** The configuration of a stack with changes to its file, as the program reads it. */
function config(stack: string, changes: Record<string, unknown> = {}, name = stack) {
  const { values, secretKeys } = stackConfig(root, stack, changes);
  return parseConfig(name, values, (key) => secretKeys.includes(key));
}

const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:openai-AbCdEf";

function networks(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `10.0.${index}.0/24`);
}

/** The message with which the program stops. */
function refusal(changes: Record<string, unknown>, stack = "dev", name = stack): string {
  try {
    config(stack, changes, name);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new Error("the configuration was accepted");
}

let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "agents-"));
  for (const file of ["langgraph.json", "package.json"]) writeFileSync(join(project, file), "{}");
});
afterAll(() => rmSync(project, { recursive: true }));

describe("the stack files", () => {
  test.each(["dev", "staging", "prod"])("%s is a configuration", (stack) => {
    expect(config(stack)).toMatchObject({ stack, profile: stack, region: "us-east-1" });
  });

  test("without a word nobody may call, nothing is adopted, and the bundled agents run", () => {
    expect(config("dev")).toMatchObject({
      edge: { allowedCidrs: [], scheme: "internet" },
      redis: { create: { tier: "cache", passwordGeneration: 1 } },
      network: { nat: "none", internet: true },
      image: { agents: undefined },
      secrets: {},
      environment: {},
    });
  });
});

test("every key has a type, a default and a description, and none has to be encrypted", () => {
  const keys = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")).config;
  expect(Object.keys(keys).length).toBeGreaterThan(20);
  for (const [key, declaration] of Object.entries(keys)) {
    expect(declaration, key).toEqual({
      type: expect.stringMatching(/^(string|integer|boolean|array|object)$/),
      default: expect.anything(),
      description: expect.stringMatching(/.{20}/),
      ...(Object(declaration).type === "array" ? { items: { type: expect.any(String) } } : {}),
    });
  }
});

describe("a stack of the user's own", () => {
  test("is known by its file, and what only its owner can decrypt is a secret", () => {
    const folder = mkdtempSync(join(tmpdir(), "stack-"));
    try {
      copyFileSync(join(root, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
      writeFileSync(
        join(folder, "Pulumi.mine.yaml"),
        stringify({
          encryptionsalt: "v1:salt",
          config: {
            "aws:region": "eu-west-1",
            "switchyard:domain": "agents.example.com",
            "switchyard:redisUrl": { secure: "v1:url" },
            "switchyard:secrets": { OPENAI_API_KEY: { secure: "v1:key" }, THEIRS: { secure: "v1:other" } },
          },
        }),
      );
      expect(stackNames(folder)).toEqual(["mine"]);
      const { values, secretKeys } = stackConfig(folder, "mine");
      expect(secretKeys.sort()).toEqual(["switchyard:redisUrl", "switchyard:secrets"]);
      const mine = parseConfig("mine", values, (key) => secretKeys.includes(key));
      expect(Object.keys(mine.secrets)).toEqual(["OPENAI_API_KEY", "THEIRS"]);
      expect(mine).toMatchObject({ region: "eu-west-1", profile: "dev", servers: { count: 2 } });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("what a stack may say", () => {
  test("secrets as ARNs or encrypted values, and plain environment", () => {
    const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:openai-AbCdEf:key::";
    const given = config("dev", {
      secrets: { OPENAI_API_KEY: arn, OTHER_KEY: new SecretText("sk-1") },
      environment: { LOG_LEVEL: "debug", MAX_TOKENS: 4000 },
    });
    expect(given.secrets).toEqual({ OPENAI_API_KEY: { arn }, OTHER_KEY: { value: "sk-1" } });
    expect(given.environment).toEqual({ LOG_LEVEL: "debug", MAX_TOKENS: "4000" });
  });

  test("a Redis of its own, whose credentials are taken out of the address", () => {
    const redisUrl = new SecretText("rediss://app:p%40ss@redis.example.com:6380/0");
    expect(config("dev", { redisUrl }).redis).toEqual({
      adopt: {
        url: "rediss://redis.example.com:6380/0",
        username: "app",
        password: "p@ss",
        host: "redis.example.com",
        port: 6380,
      },
    });
  });

  test("a folder of agents anywhere, an image by digest, a certificate, other networks", () => {
    expect(config("dev", { agents: project }).image).toMatchObject({ agents: project });
    expect(config("dev", { image: digest }).image).toEqual({ ready: digest });
    expect(config("prod", { certificateArn: certificate }).edge).toMatchObject({ certificateArn: certificate });
    expect(config("dev", { workerEgress: [{ cidr: "10.1.0.0/16", port: 5432 }] }).workers.egress).toEqual([
      { cidr: "10.1.0.0/16", port: 5432 },
    ]);
  });

  test("lists that are empty texts, which are not given; names that objects know; private ways in a closed network", () => {
    const workerEgress = [{ cidr: "10.1.0.0/16", port: 5432 }];
    expect(
      config("dev", {
        ...{ allowedCidrs: "", workerPolicyArns: "", secrets: "", internet: false, workerEgress },
        environment: { constructor: "x", COMPAT: "yes", LINK: "https://host:8080/a@b" },
      }),
    ).toMatchObject({
      edge: { allowedCidrs: [] },
      workers: { policyArns: [], egress: workerEgress },
      secrets: {},
      environment: { COMPAT: "yes", LINK: "https://host:8080/a@b" },
    });
  });

  test("every pair of CPU and memory that Fargate sells", () => {
    for (const workerCpu of fargateCpus)
      for (const workerMemory of fargateMemories(workerCpu))
        expect(config("dev", { workerCpu, workerMemory }).workers.size).toEqual({
          cpu: workerCpu,
          memory: workerMemory,
        });
  });
});

describe("what stops the program: the key, the value and what is allowed", () => {
  test.each<[Record<string, unknown>, string[]]>([
    [{ server: 3 }, ["switchyard:server is no key", "servers, workers"]],
    [{ servers: 0 }, ['switchyard:servers is "0"', "whole number from 1 to 200"]],
    [{ servers: 2.5 }, ['"2.5"', "whole number"]],
    [{ workers: "many" }, ['switchyard:workers is "many"', "whole number from 1 to 1000"]],
    [{ workers: undefined }, ["switchyard:workers", "whole number"]],
    [{ runsPerWorker: 0 }, ["switchyard:runsPerWorker", "1 to 1000"]],
    [{ protectMinutes: 2881 }, ["switchyard:protectMinutes", "1 to 2880"]],
    [{ profile: "production" }, ['switchyard:profile is "production"', "dev, staging, prod"]],
    [{ serverCpu: 500 }, ['switchyard:serverCpu is "500"', "256, 512, 1024"]],
    [{ serverMemory: 512 }, ['switchyard:serverMemory is "512"', "with serverCpu 512", "1024, 2048, 3072, 4096"]],
    [{ workerCpu: 8192, workerMemory: 17408 }, ["switchyard:workerMemory", "16384, 20480"]],
    [{ cacheTier: "big" }, ['switchyard:cacheTier is "big"', "cache, ha, durable"]],
    [{ cacheNodeType: "m7g.large" }, ["switchyard:cacheNodeType", "cache.m7g.large"]],
    [{ cacheTier: "durable", cacheNodeType: "cache.t4g.small" }, ["switchyard:cacheNodeType", "durable"]],
    [{ redisPasswordGeneration: 0 }, ["switchyard:redisPasswordGeneration", "from 1"]],
    [{ redisUrl: "http://redis.example.com" }, ["switchyard:redisUrl", "redis:// or rediss://"]],
    [{ redisUrl: new SecretText("redis://a:%zz@host") }, ["switchyard:redisUrl", "redis:// or rediss://"]],
    [{ redisUrl: "redis://host", cacheTier: "ha" }, ["switchyard:cacheTier", "left at cache"]],
    [{ redisUrl: "redis://host", restoreFrom: "old" }, ["switchyard:restoreFrom", "redisUrl"]],
    [{ redisUrl: new SecretText("rediss://host:6379/?password=hunter2") }, ["switchyard:redisUrl", "no query"]],
    [{ redisUrl: new SecretText("rediss://host:6379/#hunter2") }, ["switchyard:redisUrl", "no fragment"]],
    [{ redisUrl: new SecretText("rediss://host/hunter2") }, ["switchyard:redisUrl"]],
    [{ redisUrl: "redis://host:0" }, ["switchyard:redisUrl"]],
    [{ redisUrl: "redis://Localhost:6379" }, ["switchyard:redisUrl", "not this machine"]],
    [{ redisUrl: "redis://127.0.0.1" }, ["switchyard:redisUrl", "not this machine"]],
    [{ redisUrl: "redis://[fd00::1]:6379" }, ["switchyard:redisUrl", "IPv4"]],
    [{ redisUrl: new SecretText("redis://app:p@host") }, ["switchyard:redisUrl", "use rediss://"]],
    [{ restoreFrom: "my snapshot" }, ["switchyard:restoreFrom", "name of a snapshot"]],
    [{ nat: "both" }, ['switchyard:nat is "both"', "none, single, perAz"]],
    [{ internet: "no" }, ['switchyard:internet is "no"', "true or false"]],
    [{ internet: false, nat: "single" }, ["switchyard:nat", "internet false"]],
    [{ allowedCidrs: ["203.0.113.7"] }, ["switchyard:allowedCidrs[0]", "203.0.113.7/32"]],
    [{ allowedCidrs: ["10.0.0.0/8", "10.0.0.1/8"] }, ["switchyard:allowedCidrs[1]", "host bits"]],
    [{ allowedCidrs: ["::/0"] }, ["switchyard:allowedCidrs[0]", "IPv4"]],
    [{ allowedCidrs: ["0.0.0.0/00"] }, ["switchyard:allowedCidrs[0]", "IPv4"]],
    [{ allowedCidrs: ["010.0.0.0/8"] }, ["switchyard:allowedCidrs[0]", "IPv4"]],
    [{ allowedCidrs: ["0.0.0.0/1", "128.0.0.0/1"] }, ["switchyard:allowedCidrs", "/8 or longer"]],
    [{ allowedCidrs: networks(51) }, ["switchyard:allowedCidrs holds 51", "at most 50"]],
    [{ vpcCidr: "10.0.0.0/24" }, ["switchyard:vpcCidr", "/16 to /20"]],
    [{ vpcCidr: "8.8.0.0/16" }, ["switchyard:vpcCidr", "private"]],
    [{ vpcCidr: "" }, ["switchyard:vpcCidr", "private"]],
    [{ apiKeyGeneration: 0 }, ["switchyard:apiKeyGeneration", "from 1"]],
    [{ serverMemory: "0x400" }, ['switchyard:serverMemory is "0x400"']],
    [{ serverCpu: "5.12e2" }, ['switchyard:serverCpu is "5.12e2"']],
    [{ allowedCidrs: "10.0.0.0/8" }, ["switchyard:allowedCidrs", "list"]],
    [{ scheme: "public" }, ["switchyard:scheme", "internet, internal"]],
    [{ plainHttp: false }, ["switchyard:domain", "plainHttp must be true"]],
    [{ domain: "agents.example.com" }, ["switchyard:plainHttp", "domain"]],
    [{ allowedCidrs: ["0.0.0.0/0"] }, ["switchyard:allowedCidrs", "unencrypted"]],
    [{ plainHttp: false, domain: "https://agents.example.com" }, ["switchyard:domain", "host name"]],
    [{ certificateArn: certificate }, ["switchyard:certificateArn", "needs domain"]],
    [
      { plainHttp: false, domain: "a.example.com", certificateArn: certificate.replace("us-east-1", "eu-west-1") },
      ["switchyard:certificateArn", "in us-east-1"],
    ],
    [{ agents: "/nowhere/agents" }, ["switchyard:agents", "langgraph.json", "/nowhere/agents"]],
    [{ image: "ghcr.io/me/agents:latest" }, ["switchyard:image", "digest, not a tag"]],
    [{ image: `ghcr.io/me/agents@sha256:${"a".repeat(64)}`, internet: false }, ["switchyard:image", "Amazon ECR"]],
    [{ npmToken: "npm_1" }, ["switchyard:npmToken", "--secret"]],
    [{ image: digest, npmToken: new SecretText("npm_1") }, ["switchyard:npmToken", "nothing is built"]],
    [{ secrets: { OPENAI_API_KEY: "sk-1" } }, ["switchyard:secrets.OPENAI_API_KEY", "--secret --path"]],
    [{ secrets: { KEY: "arn:aws:s3:::bucket" } }, ["switchyard:secrets.KEY", "Secrets Manager"]],
    [
      { secrets: { KEY: "arn:aws:secretsmanager:us-east-1:123456789012:secret:openai" } },
      ["switchyard:secrets.KEY", "full ARN"],
    ],
    [
      { secrets: { KEY: "arn:aws:secretsmanager:us-east-1:123456789012:secret:openai:key::" } },
      ["switchyard:secrets.KEY", "six characters"],
    ],
    [{ secrets: { "MY-KEY": new SecretText("x") } }, ["switchyard:secrets.MY-KEY", "letters, digits"]],
    [{ secrets: { REDIS_PASSWORD: new SecretText("x") } }, ["switchyard:secrets.REDIS_PASSWORD", "program itself"]],
    [{ environment: { OPENAI_API_KEY: "sk-1" } }, ["switchyard:environment.OPENAI_API_KEY", "secrets.OPENAI_API_KEY"]],
    [{ environment: { ALLOW_ANONYMOUS: true } }, ["switchyard:environment.ALLOW_ANONYMOUS", "program itself"]],
    [{ environment: { DATABASE_URL: "postgres://app:pw@db/x" } }, ["environment.DATABASE_URL", "with a password"]],
    [{ environment: JSON.parse('{"__proto__": "x"}') }, ["switchyard:environment.__proto__"]],
    [{ secrets: JSON.parse(`{"__proto__": "${arn}"}`) }, ["switchyard:secrets.__proto__"]],
    [{ secrets: { KEY: arn }, environment: { KEY: "x" } }, ["switchyard:environment.KEY is in secrets too"]],
    [{ environment: { NESTED: { a: 1 } } }, ["switchyard:environment.NESTED", "text"]],
    [{ environment: { A: new SecretText("x") } }, ["switchyard:environment", "secrets"]],
    [{ environment: "A=1" }, ["switchyard:environment", "object"]],
    [{ workerPolicyArns: ["AdministratorAccess"] }, ["switchyard:workerPolicyArns[0]", "ARN"]],
    [{ workerEgress: [{ cidr: "10.0.0.0/8" }] }, ["switchyard:workerEgress[0]", "{cidr, port}"]],
    [{ workerEgress: [{ cidr: "10.0.0.0/8", port: 70000 }] }, ["switchyard:workerEgress[0]", "{cidr, port}"]],
    [
      { workerPolicyArns: Array.from({ length: 11 }, (_, index) => `arn:aws:iam::aws:policy/P${index}`) },
      ["switchyard:workerPolicyArns holds 11", "at most 10"],
    ],
    [{ internet: false, workerEgress: [{ cidr: "8.8.8.8/32", port: 443 }] }, ["switchyard:workerEgress", "private"]],
    [{ internet: false, workerEgress: [{ cidr: "0.0.0.0/0", port: 5432 }] }, ["switchyard:workerEgress", "private"]],
    [{ "aws:region": "cn-north-1" }, ["aws:region", "commercial"]],
    [{ "aws:region": "us-iso-east-1" }, ["aws:region", "commercial"]],
    [{ "aws:region": undefined }, ["aws:region", "pulumi config set aws:region"]],
  ])("%j", (changes, parts) => {
    const message = refusal(changes);
    for (const part of parts) expect(message).toContain(part);
  });

  test.each([
    ...["ECS_AGENT_URI", "PATH", "NODE_OPTIONS", "INSTANCE_NAME", "LOG_ERROR_MESSAGES", "TRUNCATE_ROUTE", "LD_PRELOAD"],
  ])("%s, which is not the stack's to set", (name) => {
    expect(refusal({ environment: { [name]: "x" } })).toContain(`switchyard:environment.${name} is set by the program`);
    expect(refusal({ secrets: { [name]: arn } })).toContain(`switchyard:secrets.${name} is set by the program`);
  });

  test.each(["DBPASSWORD", "PGPASSWD", "MYSQL_PWD", "OPENAI_APIKEY", "GITHUB_PAT", "AWS_ACCESS_KEY_ID"])(
    "%s in plain environment, which by its name is a secret",
    (name) => {
      expect(refusal({ environment: { [name]: "x" } })).toContain(`environment.${name} looks like a secret`);
    },
  );

  test.each([
    ["langgraph.json", undefined],
    ["package.json", undefined],
    ["langgraph.json", "not JSON"],
    ["package.json", "[]"],
  ])("agents whose %s is %j", (file, content) => {
    const folder = mkdtempSync(join(tmpdir(), "agents-"));
    try {
      for (const name of ["langgraph.json", "package.json"]) {
        const text = name === file ? content : "{}";
        if (text !== undefined) writeFileSync(join(folder, name), text);
      }
      expect(refusal({ agents: folder })).toContain(`a folder with a ${file} of valid JSON`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("both image and agents", () => {
    expect(refusal({ image: digest, agents: project })).toContain("switchyard:image");
  });

  test("a stack's name that can't be the prefix of keys in a shared Redis", () => {
    expect(refusal({ redisUrl: "redis://host" }, "dev", "team.a")).toContain('"team.a"');
  });

  test("all problems are named at once", () => {
    const message = refusal({ servers: 0, nat: "both", profile: "x" });
    expect(message.split("\n")).toHaveLength(4);
  });

  test("no message shows a secret", () => {
    const secret = new SecretText("hunter2");
    for (const changes of [
      { redisUrl: "redis://u:hunter2@host" },
      { redisUrl: new SecretText("hunter2") },
      { secrets: { REDIS_URL: secret, KEY: new SecretText("arn:hunter2") } },
      { secrets: { KEY: "hunter2" } },
      { npmToken: "hunter2" },
      { environment: { A: secret, PASSWORD: "hunter2" } },
      { image: "hunter2", npmToken: secret },
    ])
      expect(refusal(changes).replace('image is "hunter2"', "")).not.toContain("hunter2");
  });
});
