import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { readSettings } from "../../app/settings.js";
import { nameSuffix, secretMark } from "../../infra/engine/cloud.js";
import { type Recording, resourceOf, resourcesOf } from "../../infra/engine/recording.js";
import { SecretText } from "../../infra/engine/stackFiles.js";
import { isValues, type Values } from "../../infra/engine/wire.js";
import { isReserved, ownNames } from "../../infra/environment.js";
import { containerOf, pathsOf, program } from "./support.js";

const foreignArn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:theirs-AbCdEf";
const changes = {
  allowedCidrs: ["203.0.113.7/32", "198.51.100.0/24"],
  secrets: { OPENAI_API_KEY: new SecretText(`${secretMark}-openai`), THEIR_KEY: `${foreignArn}:key::` },
  environment: { LOG_LEVEL: "debug" },
  npmToken: new SecretText(`${secretMark}-npm`),
  workerPolicyArns: [
    "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "arn:aws:iam::123456789012:policy/team/read",
    "arn:aws:iam::123456789012:policy/team-read",
  ],
  workerEgress: [
    { cidr: "10.1.0.0/16", port: 5432 },
    { cidr: "10.1.0.0/16", port: 5432 },
    { cidr: "0.0.0.0/0", port: 443 },
  ],
};

let prod: Recording;
let closed: Recording;
beforeAll(async () => {
  [prod, closed] = await Promise.all([program("prod", changes), program("staging", { nat: "none", internet: false })]);
});

const task = (name: string, recording = prod) =>
  containerOf(resourceOf(recording, "aws:ecs/taskDefinition:TaskDefinition", name));

describe("security groups", () => {
  test("admit only the next hop", () => {
    expect(rules(prod, "Ingress")).toEqual(
      [
        "203.0.113.7/32 -> balancer:443",
        "198.51.100.0/24 -> balancer:443",
        "balancer -> servers:8000",
        "servers -> cache:6379",
        "workers -> cache:6379",
      ].sort(),
    );
  });

  test("reach only the next hop, and what a worker's stack allows", () => {
    expect(rules(prod, "Egress")).toEqual(
      [
        "balancer -> servers:8000",
        "servers -> cache:6379",
        "servers -> 0.0.0.0/0:443",
        "workers -> cache:6379",
        "workers -> 0.0.0.0/0:443",
        "workers -> 10.1.0.0/16:5432",
      ].sort(),
    );
  });

  test("let nobody in by default, and nothing out of a closed network but to AWS", () => {
    expect(rules(closed, "Ingress").filter((rule) => rule.includes("balancer:"))).toEqual([]);
    expect(rules(closed, "Egress")).toEqual(
      [
        "balancer -> servers:8000",
        ...["servers", "workers"].flatMap((role) => [
          `${role} -> cache:6379`,
          `${role} -> network-endpoints:443`,
          `${role} -> pl-com.amazonaws.us-east-1.s3:443`,
        ]),
      ].sort(),
    );
    const endpoints = resourcesOf(closed, "aws:ec2/vpcEndpoint:VpcEndpoint").map(({ inputs }) => inputs.serviceName);
    expect(endpoints.sort()).toEqual(
      ["ecr.api", "ecr.dkr", "logs", "s3", "secretsmanager"].map((service) => `com.amazonaws.us-east-1.${service}`),
    );
    expect(closed.outputs.unreachable).toContain("no model provider");
  });

  test("have no rules of their own, and the default one admits nothing", () => {
    for (const { inputs } of resourcesOf(prod, "aws:ec2/securityGroup:SecurityGroup")) {
      expect(inputs).not.toHaveProperty("ingress");
      expect(inputs).not.toHaveProperty("egress");
    }
    expect(
      resourceOf(prod, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "network-default").inputs,
    ).toMatchObject({ ingress: [], egress: [] });
  });
});

describe("the network", () => {
  test("gives public addresses to nobody who didn't ask, also in what the VPC component makes", () => {
    const subnets = resourcesOf(prod, "aws:ec2/subnet:Subnet");
    expect(subnets).toHaveLength(6);
    for (const { inputs } of subnets) expect(inputs.mapPublicIpOnLaunch).toBe(false);
  });

  test("keeps no client on one server", () => {
    expect(resourceOf(prod, "aws:lb/targetGroup:TargetGroup", "balancer-servers").inputs).toMatchObject({
      stickiness: { enabled: false },
      healthCheck: { path: "/ok" },
    });
  });
});

describe("secrets", () => {
  test("are encrypted in the state wherever they stand", () => {
    let found = 0;
    for (const { urn, inputs, secretPaths } of prod.resources)
      for (const path of [secretMark, keyHash(prod)].flatMap((text) => pathsOf(inputs, text))) {
        found++;
        expect(
          secretPaths.some((secret) => path.startsWith(secret)),
          `${urn} ${path}`,
        ).toBe(true);
      }
    expect(found).toBeGreaterThanOrEqual(7);
    expect(prod.secretOutputs).toEqual(["apiKey"]);
    for (const [name, value] of Object.entries(prod.outputs))
      if (name !== "apiKey") expect(pathsOf(value, secretMark)).toEqual([]);
  });

  test("reach containers as references, never as values", () => {
    for (const name of ["servers", "workers"]) {
      const { all, secrets } = task(name);
      expect(pathsOf(all, secretMark)).toEqual([]);
      expect(pathsOf(all, keyHash(prod))).toEqual([]);
      expect(secrets.REDIS_PASSWORD).toMatch(/:secret:cache-password.*:::version-of-cache-password$/);
      expect(secrets.OPENAI_API_KEY).toMatch(/:secret:secrets-OPENAI_API_KEY.*:::version-of-secrets-OPENAI_API_KEY$/);
      expect(secrets.THEIR_KEY).toBe(`${foreignArn}:key::`);
    }
  });

  test("are read only by the roles that need them", () => {
    const readable = (name: string) =>
      statements(name).find(({ Action }) => pathsOf(Action, "GetSecretValue").length > 0);
    expect(pathsOf(readable("servers-execution"), "api-key-hashes")).toHaveLength(1);
    expect(pathsOf(readable("workers-execution"), "api-key-hashes")).toHaveLength(0);
    expect(pathsOf(readable("workers-execution"), foreignArn)).toHaveLength(1);
    expect(task("workers").secrets).not.toHaveProperty("API_KEY_HASHES");
  });

  test("of the API are a hash for the servers and a key for the one who deploys", () => {
    expect(prod.outputs.apiKey).toMatch(/^sy_/);
    const version = resourceOf(prod, "aws:secretsmanager/secretVersion:SecretVersion", "api-key-hashes");
    expect(String(version.inputs.secretString).split(",")).toContain(keyHash(prod));
  });

  test("change to a new API key while the one before stays valid, and no longer than that", async () => {
    const accepted = (recording: Recording) =>
      String(
        resourceOf(recording, "aws:secretsmanager/secretVersion:SecretVersion", "api-key-hashes").inputs.secretString,
      ).split(",");
    const next = await program("prod", { ...changes, apiKeyGeneration: 2 });
    const last = await program("prod", { ...changes, apiKeyGeneration: 3 });
    expect(next.outputs.apiKey).not.toBe(prod.outputs.apiKey);
    expect(accepted(next)).toEqual([keyHash(next), keyHash(prod)]);
    expect(accepted(last)).toEqual([keyHash(last), keyHash(next)]);
  });
});

describe("roles", () => {
  test("hold no wildcard but where AWS knows no narrower one", () => {
    const wide = resourcesOf(prod, "aws:iam/rolePolicy:RolePolicy").flatMap(({ name }) =>
      statements(name)
        .filter(({ Resource }) => Array.isArray(Resource) && Resource.includes("*"))
        .map(({ Action, Condition }) => ({ Action, Condition })),
    );
    for (const { Action, Condition } of wide)
      if (pathsOf(Action, "kms:Decrypt").length > 0)
        expect(Condition).toEqual({ StringEquals: { "kms:EncryptionContext:SecretARN": [foreignArn] } });
      else expect(Action).toEqual(["ecr:GetAuthorizationToken"]);
    for (const { name } of resourcesOf(prod, "aws:iam/rolePolicy:RolePolicy"))
      for (const { Action } of statements(name)) expect(pathsOf(Action, "*")).toEqual([]);
  });

  test("can be taken by ECS for this account only", () => {
    for (const role of ["servers-execution", "servers-task", "workers-execution", "workers-task"])
      expect(JSON.parse(String(resourceOf(prod, "aws:iam/role:Role", role).inputs.assumeRolePolicy))).toMatchObject({
        Statement: [
          {
            Principal: { Service: "ecs-tasks.amazonaws.com" },
            Condition: { StringEquals: { "aws:SourceAccount": "123456789012" } },
          },
        ],
      });
  });

  test("let workers protect tasks of this cluster, and what the stack adds; servers nothing", () => {
    expect(statements("workers-task")).toEqual([
      {
        Effect: "Allow",
        Action: ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"],
        Resource: ["arn:aws:ecs:us-east-1:123456789012:task/cluster-0a1b2c3/*"],
      },
    ]);
    const attached = resourcesOf(prod, "aws:iam/rolePolicyAttachment:RolePolicyAttachment");
    expect(attached.map(({ inputs }) => [inputs.role, inputs.policyArn])).toEqual(
      changes.workerPolicyArns.map((arn) => ["workers-task-0a1b2c3", arn]),
    );
    expect(resourcesOf(prod, "aws:iam/rolePolicy:RolePolicy").map(({ name }) => name)).not.toContain("servers-task");
  });
});

describe("containers", () => {
  test.each(["servers", "workers"])("of %s have no root, nothing to write to but /tmp, and an init", (name) => {
    expect(task(name).all).toMatchObject({
      user: "65534:65534",
      readonlyRootFilesystem: true,
      stopTimeout: 120,
      command: [name.replace(/s$/, "")],
      image: expect.stringMatching(
        /^123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com\/agents-0a1b2c3@sha256:[0-9a-f]{64}$/,
      ),
      linuxParameters: {
        initProcessEnabled: true,
        capabilities: { drop: ["ALL"] },
        tmpfs: [expect.objectContaining({ containerPath: "/tmp" })],
      },
      logConfiguration: { options: { "awslogs-group": `/switchyard/prod/${name}${nameSuffix}` } },
    });
    expect(pathsOf(task(name).all.healthCheck, "/ok")).toHaveLength(1);
  });

  test.each(["servers", "workers"])("of %s get an environment that the app understands", (name) => {
    const { environment, secrets } = task(name);
    for (const variable of [...Object.keys(environment), ...Object.keys(secrets)])
      expect([...ownNames, ...Object.keys(changes.secrets), ...Object.keys(changes.environment)]).toContain(variable);
    const settings = readSettings({ ...environment, REDIS_PASSWORD: "p", API_KEY_HASHES: keyHash(prod) });
    expect(settings).toMatchObject({
      redis: {
        url: "rediss://master.cache-0a1b2c3.cache.us-east-1.amazonaws.com:6379",
        username: "app",
        keyPrefix: "sw",
      },
      drainSeconds: 100,
      logLevel: "debug",
      ...(name === "servers"
        ? { port: 8000, httpKeepAliveTimeoutMs: 605_000 }
        : { healthPort: 8001, runsPerWorker: 20 }),
    });
    // A suite's way to remove everything is no way into a deployment.
    expect([settings.truncateRoute, isReserved("TRUNCATE_ROUTE")]).toEqual([false, true]);
    expect(environment).toMatchObject({ STACK_NAME: "prod", TSX_DISABLE_CACHE: "1", REDIS_CLUSTER: "false" });
  });
});

/** Rules of one direction, as `from -> to:port`. */
function rules(recording: Recording, direction: "Ingress" | "Egress"): string[] {
  const groups = resourcesOf(recording, "aws:ec2/securityGroup:SecurityGroup");
  const nameOf = (id: unknown) => groups.find((group) => group.id === id)?.name;
  const type = `aws:vpc/securityGroup${direction}Rule:SecurityGroup${direction}Rule`;
  return resourcesOf(recording, type)
    .map(({ inputs }) => {
      const here = nameOf(inputs.securityGroupId);
      const there = nameOf(inputs.referencedSecurityGroupId) ?? inputs.cidrIpv4 ?? inputs.prefixListId;
      expect(inputs.toPort).toBe(inputs.fromPort);
      const [from, to] = direction === "Ingress" ? [there, here] : [here, there];
      return `${from} -> ${to}:${inputs.fromPort}`;
    })
    .sort();
}

function statements(rolePolicy: string): Values[] {
  const policy: unknown = JSON.parse(
    String(resourceOf(prod, "aws:iam/rolePolicy:RolePolicy", rolePolicy).inputs.policy),
  );
  const list: unknown[] = isValues(policy) && Array.isArray(policy.Statement) ? policy.Statement : [];
  return list.filter(isValues);
}

function keyHash({ outputs }: Recording): string {
  return createHash("sha256").update(String(outputs.apiKey)).digest("hex");
}
