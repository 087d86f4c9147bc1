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
  writeFileSync(join(project, "langgraph.json"), "{}");
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
    [{ restoreFrom: "my snapshot" }, ["switchyard:restoreFrom", "name of a snapshot"]],
    [{ nat: "both" }, ['switchyard:nat is "both"', "none, single, perAz"]],
    [{ internet: "no" }, ['switchyard:internet is "no"', "true or false"]],
    [{ internet: false, nat: "single" }, ["switchyard:nat", "internet false"]],
    [{ allowedCidrs: ["203.0.113.7"] }, ["switchyard:allowedCidrs[0]", "203.0.113.7/32"]],
    [{ allowedCidrs: ["10.0.0.0/8", "10.0.0.1/8"] }, ["switchyard:allowedCidrs[1]", "host bits"]],
    [{ allowedCidrs: ["::/0"] }, ["switchyard:allowedCidrs[0]", "IPv4"]],
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
    [{ secrets: { "MY-KEY": new SecretText("x") } }, ["switchyard:secrets.MY-KEY", "letters, digits"]],
    [{ secrets: { REDIS_PASSWORD: new SecretText("x") } }, ["switchyard:secrets.REDIS_PASSWORD", "program itself"]],
    [{ environment: { OPENAI_API_KEY: "sk-1" } }, ["switchyard:environment.OPENAI_API_KEY", "secrets.OPENAI_API_KEY"]],
    [{ environment: { ALLOW_ANONYMOUS: true } }, ["switchyard:environment.ALLOW_ANONYMOUS", "program itself"]],
    [{ environment: { NESTED: { a: 1 } } }, ["switchyard:environment.NESTED", "text"]],
    [{ environment: { A: new SecretText("x") } }, ["switchyard:environment", "secrets"]],
    [{ environment: "A=1" }, ["switchyard:environment", "object"]],
    [{ workerPolicyArns: ["AdministratorAccess"] }, ["switchyard:workerPolicyArns[0]", "ARN"]],
    [{ workerEgress: [{ cidr: "10.0.0.0/8" }] }, ["switchyard:workerEgress[0]", "{cidr, port}"]],
    [{ workerEgress: [{ cidr: "10.0.0.0/8", port: 70000 }] }, ["switchyard:workerEgress[0]", "{cidr, port}"]],
    [{ "aws:region": undefined }, ["aws:region", "pulumi config set aws:region"]],
  ])("%j", (changes, parts) => {
    const message = refusal(changes);
    for (const part of parts) expect(message).toContain(part);
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
