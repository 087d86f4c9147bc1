/**
 * Arguments that nothing else in the program leans on: with a wrong one every resource is still there and every name
 * fits, and the difference shows only on AWS, on a bad day. Each test says what that day would look like.
 */
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, test } from "vitest";
import { account } from "../../infra/engine/cloud.js";
import { type RecordedResource, type Recording, resourceOf, resourcesOf } from "../../infra/engine/recording.js";
import { isValues, type Values } from "../../infra/engine/wire.js";
import { rulesOf } from "../../infra/profiles.js";
import { timingBudget } from "../../infra/timing.js";
import { containerOf, program } from "./support.js";

const roles = ["servers", "workers"] as const;
/** Pulumi's waits, from the profile of prod and the default `protectMinutes`. */
const { timeouts } = timingBudget({ ...rulesOf.prod, protectMinutes: 30 });

let prod: Recording;
/** No way to the internet: AWS is reached through endpoints. */
let closed: Recording;
beforeAll(async () => {
  [prod, closed] = await Promise.all([program("prod"), program("staging", { nat: "none", internet: false })]);
});

describe("services", () => {
  test("new servers have a minute to start before the load balancer's verdict stops them", () => {
    expect(service("servers").inputs.healthCheckGracePeriodSeconds).toBeGreaterThanOrEqual(60);
  });

  test.each(roles)("a deploy of %s starts new tasks before it stops old ones, even of a single one", (role) => {
    const { deploymentMinimumHealthyPercent, deploymentMaximumPercent } = service(role).inputs;
    expect(deploymentMinimumHealthyPercent).toBe(100);
    expect(deploymentMaximumPercent).toBeGreaterThanOrEqual(200);
  });

  test("Pulumi waits for each role as long as that role may take, so that no slow roll-out is called a failure", () => {
    expect(service("servers").timeouts).toEqual(timeouts.serverService);
    expect(service("workers").timeouts).toEqual(timeouts.workerService);
  });
});

describe.each(roles)("the health check of %s", (role) => {
  test("asks the process and not Redis, whose outage must not restart every task", async () => {
    const { asked, code } = await checkHealth(role, async () => ({ ok: true }));
    expect(new URL(asked)).toMatchObject({ hostname: "127.0.0.1", pathname: "/ok", search: "" });
    expect(code).toBe(0);
  });

  test("fails where the answer is an error, and where there is none", async () => {
    expect(await checkHealth(role, async () => ({ ok: false }))).toMatchObject({ code: 1 });
    expect(await checkHealth(role, () => Promise.reject(new Error("refused")))).toMatchObject({ code: 1 });
  });
});

describe("the load balancer", () => {
  const balancer = () => resourceOf(prod, "aws:lb/loadBalancer:LoadBalancer", "balancer");

  test("sends requests only to a server whose /ok answers 200: a 401 or 404 there is no health", () => {
    const { healthCheck } = resourceOf(prod, "aws:lb/targetGroup:TargetGroup", "balancer-servers").inputs;
    expect(healthCheck).toMatchObject({ path: "/ok", matcher: "200" });
  });

  test("passes on no malformed header and no ambiguous request, with which one client could speak for another", () => {
    expect(balancer().inputs.dropInvalidHeaderFields).toBe(true);
    expect(balancer().inputs.desyncMitigationMode).toMatch(/^(defensive|strictest)$/);
  });

  test("speaks no TLS before 1.2", () => {
    const { sslPolicy } = resourceOf(prod, "aws:lb/listener:Listener", "balancer").inputs;
    expect(sslPolicy).toMatch(/^ELBSecurityPolicy-TLS13-1-[23]-/);
  });

  test("is made after the policy that lets it write its logs, or AWS refuses to make it", () => {
    expect(balancer().dependencies).toContain(resourceOf(prod, "aws:s3/bucketPolicy:BucketPolicy", "access-logs").urn);
  });

  test("may write its logs exactly where it writes them, and nowhere else", () => {
    const bucket = resourceOf(prod, "aws:s3/bucket:Bucket", "access-logs");
    const { accessLogs } = balancer().inputs;
    expect(accessLogs).toMatchObject({ enabled: true, bucket: bucket.id });
    const prefix = isValues(accessLogs) && typeof accessLogs.prefix === "string" ? [accessLogs.prefix] : [];
    const written = [bucket.outputs.arn, ...prefix, "AWSLogs", account, "*"].join("/");
    const { policy } = resourceOf(prod, "aws:s3/bucketPolicy:BucketPolicy", "access-logs").inputs;
    expect(allowed(policy)).toEqual([
      {
        Effect: "Allow",
        Principal: { Service: "logdelivery.elasticloadbalancing.amazonaws.com" },
        Action: "s3:PutObject",
        Resource: written,
      },
    ]);
  });

  test("keeps its logs where neither an ACL nor a policy can open them to the public", () => {
    const { inputs } = resourceOf(prod, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "access-logs");
    expect(inputs).toMatchObject({
      bucket: resourceOf(prod, "aws:s3/bucket:Bucket", "access-logs").id,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
  });
});

describe("the network", () => {
  test("has each kind of subnet in two zones, so that tasks outlive the loss of one and a load balancer can be made", () => {
    const zones = new Map<unknown, unknown[]>();
    for (const { inputs } of resourcesOf(prod, "aws:ec2/subnet:Subnet")) {
      const kind = isValues(inputs.tags) ? inputs.tags.SubnetType : undefined;
      zones.set(kind, [...(zones.get(kind) ?? []), inputs.availabilityZone]);
    }
    const both = ["us-east-1a", "us-east-1b"];
    expect(Object.fromEntries(zones)).toEqual({ Public: both, Private: both, Isolated: both });
  });

  test("without internet finds AWS inside the VPC by its public names, in the subnets of the tasks", () => {
    const { enableDnsHostnames } = resourceOf(closed, "aws:ec2/vpc:Vpc", "network").inputs;
    expect(enableDnsHostnames, "which private names need").toBe(true);
    const { networkConfiguration } = service("workers", closed).inputs;
    const endpoints = resourcesOf(closed, "aws:ec2/vpcEndpoint:VpcEndpoint").filter(
      ({ inputs }) => inputs.vpcEndpointType === "Interface",
    );
    expect(endpoints).toHaveLength(4);
    for (const { name, inputs } of endpoints) {
      expect(inputs.privateDnsEnabled, name).toBe(true);
      expect(inputs.subnetIds, name).toEqual(isValues(networkConfiguration) ? networkConfiguration.subnets : undefined);
    }
  });
});

describe("a failed deployment", () => {
  const rule = () => resourceOf(prod, "aws:cloudwatch/eventRule:EventRule", "observability");
  const topic = () => resourceOf(prod, "aws:sns/topic:Topic", "observability");

  test("of this cluster's services is told, under the name that ECS gives it", () => {
    const cluster = String(resourceOf(prod, "aws:ecs/cluster:Cluster", "cluster").outputs.arn);
    expect(JSON.parse(String(rule().inputs.eventPattern))).toEqual({
      source: ["aws.ecs"],
      "detail-type": ["ECS Deployment State Change"],
      detail: { eventName: ["SERVICE_DEPLOYMENT_FAILED"] },
      resources: [{ prefix: `${cluster.replace(":cluster/", ":service/")}/` }],
    });
    expect(resourceOf(prod, "aws:cloudwatch/eventTarget:EventTarget", "observability").inputs).toMatchObject({
      rule: rule().outputs.name,
      arn: topic().outputs.arn,
    });
  });

  test("is told by our rule alone: rules of other accounts can't write to the topic", () => {
    const { arn, policy } = resourceOf(prod, "aws:sns/topicPolicy:TopicPolicy", "observability").inputs;
    expect(arn).toBe(topic().outputs.arn);
    expect(allowed(policy)).toEqual([
      {
        Effect: "Allow",
        Principal: { Service: "events.amazonaws.com" },
        Action: "sns:Publish",
        Resource: topic().outputs.arn,
        Condition: { ArnEquals: { "aws:SourceArn": rule().outputs.arn } },
      },
    ]);
  });
});

describe("Valkey", () => {
  test("takes only users of its own engine", () => {
    for (const type of ["User", "UserGroup"]) {
      const made = resourcesOf(prod, `aws:elasticache/${lowerFirst(type)}:${type}`);
      expect(made.length).toBeGreaterThan(0);
      for (const { urn, inputs } of made) expect(inputs.engine, urn).toBe("valkey");
    }
  });

  test("changes when it is told to, not in a window days after `pulumi up` said it was done", () => {
    const { inputs } = resourceOf(prod, "aws:elasticache/replicationGroup:ReplicationGroup", "cache");
    expect(inputs.applyImmediately).toBe(true);
  });
});

test("a secret that was deleted by mistake can be brought back, in prod for thirty days", () => {
  for (const [recording, days] of [
    [closed, 7],
    [prod, 30],
  ] as const) {
    const secrets = resourcesOf(recording, "aws:secretsmanager/secret:Secret");
    expect(secrets.length).toBeGreaterThanOrEqual(2);
    for (const { urn, inputs } of secrets) expect(inputs.recoveryWindowInDays, urn).toBe(days);
  }
});

function service(role: (typeof roles)[number], recording = prod): RecordedResource {
  return resourceOf(recording, "aws:ecs/service:Service", role);
}

/** Runs the container's own check against an answer. @returns the address it asked, and the code it ended with */
async function checkHealth(
  role: (typeof roles)[number],
  answer: () => Promise<{ ok: boolean }>,
): Promise<{ asked: string; code: number }> {
  const { healthCheck } = containerOf(resourceOf(prod, "aws:ecs/taskDefinition:TaskDefinition", role)).all;
  const command: unknown = isValues(healthCheck) ? healthCheck.command : undefined;
  const [kind, node, flag, script] = Array.isArray(command) ? command : [];
  expect([kind, node, flag]).toEqual(["CMD", "node", "-e"]);
  let asked = "";
  const fetch = (address: string) => {
    asked = address;
    return answer();
  };
  const code = await new Promise<number>((exit) => runInNewContext(String(script), { fetch, process: { exit } }));
  return { asked, code };
}

/** What a document of a bucket or topic allows. */
function allowed(policy: unknown): Values[] {
  const document: unknown = JSON.parse(String(policy));
  const statements: unknown[] = isValues(document) && Array.isArray(document.Statement) ? document.Statement : [];
  return statements.filter(isValues).filter(({ Effect }) => Effect === "Allow");
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
