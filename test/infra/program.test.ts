import { beforeAll, describe, expect, test } from "vitest";
import { nameSuffix } from "../../infra/engine/cloud.js";
import { type RecordedResource, type Recording, resourceOf, resourcesOf } from "../../infra/engine/recording.js";
import type { Values } from "../../infra/engine/wire.js";
import { attempt, pathsOf, program } from "./support.js";

const stacks = ["dev", "staging", "prod"] as const;
const recordings = new Map<string, Recording>();

/** What AWS knows no tags for, said apart from the program's own list, which may be wrong. */
const untagged = [
  "aws:acm/certificateValidation:CertificateValidation",
  "aws:cloudwatch/eventTarget:EventTarget",
  "aws:ec2/route:Route",
  "aws:ec2/routeTableAssociation:RouteTableAssociation",
  "aws:ecr/lifecyclePolicy:LifecyclePolicy",
  "aws:iam/rolePolicy:RolePolicy",
  "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
  "aws:route53/record:Record",
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
  "aws:s3/bucketPolicy:BucketPolicy",
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
  "aws:secretsmanager/secretVersion:SecretVersion",
  "aws:sns/topicPolicy:TopicPolicy",
];

beforeAll(async () => {
  await Promise.all(stacks.map(async (stack) => recordings.set(stack, await program(stack))));
});

function recorded(stack: string): Recording {
  const recording = recordings.get(stack);
  if (recording === undefined) throw new Error(`stack ${stack} was not run`);
  return recording;
}

describe.each(stacks)("stack %s", (stack) => {
  test("every resource has its parent, and everything on AWS belongs to a component", () => {
    const { resources } = recorded(stack);
    const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
    for (const { urn, type, custom, parent } of resources) {
      if (type === "pulumi:pulumi:Stack") continue;
      const owner = byUrn.get(parent ?? "");
      expect(owner, `${urn} has no parent`).toBeDefined();
      if (custom) expect(owner?.type, `${urn} stands alone`).not.toBe("pulumi:pulumi:Stack");
    }
  });

  test("everything that takes tags says whose it is", () => {
    const taggable = recorded(stack).resources.filter(
      ({ type }) => type.startsWith("aws:") && !untagged.includes(type),
    );
    expect(taggable.length).toBeGreaterThan(50);
    for (const { urn, inputs } of taggable)
      expect(inputs.tags, urn).toMatchObject({ Project: "switchyard", Stack: stack });
  });
});

test.each(["dev", "prod"])("a preview of %s, which knows no output yet, shows the same resources", async (stack) => {
  const preview = await program(stack, {}, { preview: true });
  expect(urns(preview)).toEqual(urns(recorded(stack)));
});

describe("tasks", () => {
  test.each([
    ["dev", "public", true, 0],
    ["staging", "private", false, 1],
    ["prod", "private", false, 2],
  ])("of %s run in %s subnets, and the cache in isolated ones", (stack, kind, assignPublicIp, gateways) => {
    const recording = recorded(stack);
    expect(resourcesOf(recording, "aws:ec2/natGateway:NatGateway")).toHaveLength(gateways);
    for (const { inputs } of resourcesOf(recording, "aws:ecs/service:Service")) {
      expect(inputs.networkConfiguration).toMatchObject({ assignPublicIp });
      expect(pathsOf(inputs.networkConfiguration, `network-${kind}-`)).toHaveLength(2);
    }
    const { inputs } = resourceOf(recording, "aws:elasticache/subnetGroup:SubnetGroup", "cache");
    expect(pathsOf(inputs, "network-isolated-")).toHaveLength(2);
  });
});

describe("replicas", () => {
  test("follow the stack and change nothing else", async () => {
    const more = await program("prod", { servers: 7, workers: 9 });
    expect(resourceOf(more, "aws:ecs/service:Service", "servers").inputs.desiredCount).toBe(7);
    expect(resourceOf(more, "aws:ecs/service:Service", "workers").inputs.desiredCount).toBe(9);
    expect(withoutCounts(more)).toEqual(withoutCounts(recorded("prod")));
  });

  test.each([
    ["dev", 2, 2],
    ["staging", 2, 2],
    ["prod", 3, 4],
  ])("of %s are %i servers and %i workers", (stack, servers, workers) => {
    const counts = resourcesOf(recorded(stack), "aws:ecs/service:Service").map(({ name, inputs }) => [
      name,
      inputs.desiredCount,
    ]);
    expect(Object.fromEntries(counts)).toEqual({ servers, workers });
  });
});

describe("names", () => {
  /** Characters that AWS allows. */
  const limits: Record<string, number> = {
    "aws:cloudwatch/eventRule:EventRule": 64,
    "aws:cloudwatch/logGroup:LogGroup": 512,
    "aws:ec2/securityGroup:SecurityGroup": 255,
    "aws:ecr/repository:Repository": 256,
    "aws:ecs/cluster:Cluster": 255,
    "aws:ecs/service:Service": 255,
    "aws:ecs/taskDefinition:TaskDefinition": 255,
    "aws:elasticache/parameterGroup:ParameterGroup": 255,
    "aws:elasticache/replicationGroup:ReplicationGroup": 40,
    "aws:elasticache/subnetGroup:SubnetGroup": 255,
    "aws:elasticache/user:User": 40,
    "aws:elasticache/userGroup:UserGroup": 40,
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:lb/loadBalancer:LoadBalancer": 32,
    "aws:lb/targetGroup:TargetGroup": 32,
    "aws:s3/bucket:Bucket": 63,
    "aws:secretsmanager/secret:Secret": 512,
    "aws:sns/topic:Topic": 256,
  };

  test.each(["staging", "Team.A_".padEnd(100, "x")])("of a stack named %s break no limit", async (name) => {
    const { resources } = await program("staging", {}, { name });
    const seen = new Set<string>();
    for (const resource of resources) {
      const limit = limits[resource.type];
      if (limit === undefined) continue;
      seen.add(resource.type);
      expect(physicalName(resource).length, resource.urn).toBeLessThanOrEqual(limit);
    }
    expect([...seen].sort()).toEqual(Object.keys(limits).sort());
    const image = resources.find(({ type }) => type === "docker-build:index:Image");
    const [tag] = Array.isArray(image?.inputs.tags) ? image.inputs.tags : [];
    expect(String(tag).split(":").at(-1)).toMatch(/^[A-Za-z0-9_][\w.-]{0,127}$/);
  });

  test("nothing that AWS may have to replace has a fixed one", () => {
    for (const type of [
      "aws:lb/targetGroup:TargetGroup",
      "aws:lb/loadBalancer:LoadBalancer",
      "aws:ecs/service:Service",
    ])
      for (const { inputs } of resourcesOf(recorded("prod"), type)) expect(inputs).not.toHaveProperty("name");
  });

  test("of two stacks that are called alike in one account don't collide", () => {
    const prod = recorded("prod");
    const ids = resourceOf(prod, "random:index/randomId:RandomId", "cache-ids");
    for (const type of ["aws:elasticache/user:User", "aws:elasticache/userGroup:UserGroup"])
      for (const resource of resourcesOf(prod, type)) {
        expect(physicalName(resource)).toMatch(/^switchyard-prod-\w+-0a1b2c3d$/);
        expect(resource.dependencies).toContain(ids.urn);
      }
    for (const role of ["servers", "workers"]) {
      const logs = resourceOf(prod, "aws:cloudwatch/logGroup:LogGroup", role);
      expect(logs.inputs).not.toHaveProperty("name");
      expect(logs.inputs.namePrefix).toBe(`/switchyard/prod/${role}-`);
      expect(prod.outputs.logs).toContain(logs.outputs.name);
    }
  });

  test("are the same in every stack, so that a stack's history is one", () => {
    const shared = (stack: string) =>
      new Set(
        recorded(stack)
          .resources.filter(({ custom }) => custom)
          .map(({ name }) => name),
      );
    const missing = [...shared("dev")].filter((name) => !shared("prod").has(name));
    expect(missing).toEqual([]);
  });
});

describe("what a profile protects", () => {
  test("dev goes with one destroy", () => {
    const dev = recorded("dev");
    expect(dev.resources.filter(({ protect }) => protect)).toEqual([]);
    expect(resourceOf(dev, "aws:lb/loadBalancer:LoadBalancer", "balancer").inputs.enableDeletionProtection).toBe(false);
    expect(resourceOf(dev, "aws:s3/bucket:Bucket", "access-logs").inputs.forceDestroy).toBe(true);
    expect(resourceOf(dev, "aws:ecr/repository:Repository", "agents").inputs.forceDelete).toBe(true);
    for (const { inputs } of resourcesOf(dev, "aws:secretsmanager/secret:Secret"))
      expect(inputs.recoveryWindowInDays).toBe(0);
    expect(cacheOf(dev).inputs).not.toHaveProperty("finalSnapshotIdentifier");
  });

  test.each(["staging", "prod"])("%s keeps its data", (stack) => {
    const kept = recorded(stack);
    expect(kept.resources.filter(({ protect }) => protect).map(({ name }) => name)).toEqual(["cache"]);
    expect(cacheOf(kept).inputs.finalSnapshotIdentifier).toMatch(/^switchyard-\w+-final-[0-9a-f]{8}$/);
    expect(resourceOf(kept, "aws:lb/loadBalancer:LoadBalancer", "balancer").inputs.enableDeletionProtection).toBe(true);
    expect(resourceOf(kept, "aws:s3/bucket:Bucket", "access-logs").inputs.forceDestroy).toBe(false);
  });

  test("the log group of Container Insights is ours, so a retention holds and nothing stays behind", () => {
    expect(resourceOf(recorded("dev"), "aws:cloudwatch/logGroup:LogGroup", "cluster-insights").inputs).toMatchObject({
      name: `/aws/ecs/containerinsights/cluster${nameSuffix}/performance`,
      retentionInDays: 7,
    });
  });
});

describe("time limits", () => {
  test("reach the load balancer, the containers and Pulumi", () => {
    const prod = recorded("prod");
    expect(resourceOf(prod, "aws:lb/loadBalancer:LoadBalancer", "balancer").inputs.idleTimeout).toBe(600);
    expect(resourceOf(prod, "aws:lb/targetGroup:TargetGroup", "balancer-servers").inputs.deregistrationDelay).toBe(60);
    expect(resourceOf(recorded("dev"), "aws:lb/targetGroup:TargetGroup", "balancer-servers").inputs).toMatchObject({
      deregistrationDelay: 10,
    });
    expect(resourceOf(prod, "aws:ecs/service:Service", "workers").timeouts.delete).toBe("2310s");
    expect(cacheOf(prod).timeouts.create).toBe("3600s");
  });

  test("servers are waited for, workers are not; both roll back", () => {
    for (const [name, wait] of Object.entries({ servers: true, workers: false }))
      expect(resourceOf(recorded("prod"), "aws:ecs/service:Service", name).inputs).toMatchObject({
        waitForSteadyState: wait,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      });
  });
});

test("a draining worker's task definition stays when a new one comes", () => {
  for (const { inputs } of resourcesOf(recorded("prod"), "aws:ecs/taskDefinition:TaskDefinition"))
    expect(inputs.skipDestroy).toBe(true);
});

test("flow logs are made once their role may write, or AWS refuses them", () => {
  const prod = recorded("prod");
  expect(resourceOf(prod, "aws:ec2/flowLog:FlowLog", "network").dependencies).toContain(
    resourceOf(prod, "aws:iam/rolePolicy:RolePolicy", "network-flow").urn,
  );
});

test.each(["servers", "workers"])("no task of the %s starts before its rights and its ways are there", (name) => {
  const prod = recorded("prod");
  const service = resourceOf(prod, "aws:ecs/service:Service", name);
  const needed = prod.resources.filter(
    ({ type, name: other, inputs }) =>
      (type === "aws:iam/rolePolicy:RolePolicy" && other.startsWith(name)) ||
      (type.startsWith("aws:vpc/securityGroup") && JSON.stringify(inputs).includes(`securityGroup-${name}`)) ||
      (type === "aws:cloudwatch/logGroup:LogGroup" && other === "cluster-insights") ||
      (type === "aws:lb/listener:Listener" && name === "servers"),
  );
  expect(needed.length).toBeGreaterThan(5);
  for (const { urn } of needed) expect(service.dependencies).toContain(urn);
});

describe("bad input stops the program before its first resource", () => {
  test.each<[string, Values, string]>([
    ["an impossible size", { serverCpu: 512, serverMemory: 512 }, "switchyard:serverMemory"],
    ["a key that nobody knows", { replicas: 3 }, "switchyard:replicas is no key"],
    ["a region that is not commercial", { "aws:region": "us-gov-west-1" }, "only commercial regions"],
    ["a domain without a zone", { plainHttp: false, domain: "agents.example.org" }, "switchyard:certificateArn"],
  ])("%s", async (_, changes, message) => {
    const { exitCode, errors, resources } = await attempt("dev", changes);
    expect(exitCode).not.toBe(0);
    expect(errors.join("\n")).toContain(message);
    expect(errors.join("\n")).not.toContain("    at ");
    expect(resources.map(({ type }) => type)).toEqual(["pulumi:pulumi:Stack"]);
  });
});

test("two zones of one name are a sentence, too", async () => {
  const domain = { plainHttp: false, domain: "agents.example.com" };
  const { exitCode, errors } = await attempt("dev", domain, { zones: ["example.com", "example.com"] });
  expect(exitCode).not.toBe(0);
  expect(errors.join("\n")).toContain("several public Route 53 zones");
  expect(errors.join("\n")).not.toContain("    at ");
});

function urns({ resources }: Recording): string[] {
  return resources.map(({ urn }) => urn).sort();
}

function cacheOf(recording: Recording): RecordedResource {
  return resourceOf(recording, "aws:elasticache/replicationGroup:ReplicationGroup", "cache");
}

/** Inputs of all resources by urn; the counts of services are left out. */
function withoutCounts({ resources }: Recording): Record<string, Values> {
  return Object.fromEntries(resources.map(({ urn, inputs }) => [urn, { ...inputs, desiredCount: undefined }]));
}

/** The name that AWS would see: one that was given, or the logical name with Pulumi's suffix. */
function physicalName({ name, inputs }: RecordedResource): string {
  const { family, userId, userGroupId, namePrefix } = inputs;
  if (typeof namePrefix === "string") return namePrefix.padEnd(namePrefix.length + 26, "0");
  const given = [inputs.name, family, userId, userGroupId].find((each) => typeof each === "string");
  return typeof given === "string" ? given : name + nameSuffix;
}
