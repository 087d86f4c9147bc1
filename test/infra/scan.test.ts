import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { type RecordedResource, type Recording, resourceOf } from "../../infra/engine/recording.js";
import { type Findings, installCheckov, runCheckov } from "../../infra/scan/checkov.js";
import { judge, type Skip } from "../../infra/scan/judge.js";
import { toTerraform } from "../../infra/scan/terraform.js";
import { program, root } from "./support.js";

// Installing Checkov for the first time takes half a minute and more.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describe("npm run scan", () => {
  test("looks at every stack, and nothing fails", async () => {
    const { code, lines } = await npmRun("scan");
    expect(lines.filter((line) => line.includes("CKV"))).toEqual([]);
    expect(lines.at(-1)).toBe("failed 0");
    expect(lines.at(-2)).toMatch(/^resources \d{3}, passed \d{3}, skipped \d+$/);
    for (const stack of ["dev", "staging", "prod"])
      expect(lines.find((line) => line.startsWith(`${stack}: resources`))).toBeDefined();
    expect(code).toBe(0);
  });

  test("takes no arguments", async () => {
    expect(await npmRun("scan", "--stack", "dev")).toMatchObject({
      code: 2,
      lines: [expect.stringContaining("no arguments")],
    });
  });
});

describe("the scan", () => {
  let prod: Recording;
  let checkov: string;
  beforeAll(async () => {
    prod = await program("prod");
    checkov = await installCheckov(join(root, "node_modules", ".cache"), () => {});
  });

  const findings = async (resources: RecordedResource[]) => await runCheckov(checkov, toTerraform(resources));
  const failing = ({ failed }: Findings) => failed.map(({ check, resource }) => `${check} ${resource}`);

  test("reads every resource that was recorded, the VPC's children too", async () => {
    const { read } = await findings(prod.resources);
    expect(read.sort()).toEqual([...toTerraform(prod.resources).keys()].sort());
    expect(read.filter((address) => address.startsWith("aws_subnet."))).toHaveLength(6);
  });

  test("sees what got worse: plain HTTP, a public address, an open container, a network that gives out addresses", async () => {
    const before = failing(await findings(prod.resources));
    const worse = [
      ["aws:lb/listener:Listener", "balancer", { protocol: "HTTP", port: 80 }],
      ["aws:ecs/service:Service", "servers", { networkConfiguration: { assignPublicIp: true } }],
      ["aws:ec2/subnet:Subnet", "network-public-1", { mapPublicIpOnLaunch: true }],
      ["aws:elasticache/replicationGroup:ReplicationGroup", "cache", { transitEncryptionEnabled: false }],
      ["aws:ecs/taskDefinition:TaskDefinition", "workers", writableRoot(prod)],
    ] as const;
    const changed = prod.resources.map((resource) => {
      const change = worse.find(([type, name]) => type === resource.type && name === resource.name);
      return change === undefined ? resource : { ...resource, inputs: { ...resource.inputs, ...change[2] } };
    });
    const after = failing(await findings(changed));
    expect(after.filter((failure) => !before.includes(failure))).toEqual(
      expect.arrayContaining([
        "CKV_AWS_2 aws_lb_listener.balancer",
        "CKV_AWS_333 aws_ecs_service.servers",
        "CKV_AWS_130 aws_subnet.network-public-1",
        "CKV_AWS_30 aws_elasticache_replication_group.cache",
        "CKV_AWS_336 aws_ecs_task_definition.workers",
      ]),
    );
  });

  test("refuses a type that it has no name for", () => {
    const strange = { ...resourceOf(prod, "aws:s3/bucket:Bucket", "access-logs"), type: "aws:s3/bucketV9:BucketV9" };
    expect(() => toTerraform([strange])).toThrow("aws:s3/bucketV9:BucketV9");
  });
});

test("a machine without Python is told what to install", async () => {
  const cache = mkdtempSync(join(tmpdir(), "cache-"));
  vi.stubEnv("PATH", cache);
  try {
    await expect(installCheckov(cache, () => {})).rejects.toThrow("Python 3.9 or newer with venv");
  } finally {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true });
  }
});

describe("a skip", () => {
  const findings: Findings = {
    passed: [],
    failed: [{ check: "CKV_AWS_2", resource: "aws_lb_listener.balancer", title: "HTTPS" }],
    read: ["aws_lb_listener.balancer"],
  };
  const skip: Skip = {
    check: "CKV_AWS_2",
    stacks: ["mine"],
    resources: ["aws_lb_listener.balancer"],
    reason: "A trial has no certificate, and says so",
  };
  const judged = (skips: Skip[], profile: "dev" | "prod" = "dev", addresses = findings.read) =>
    judge({ stack: "mine", profile }, addresses, findings, skips);

  test("covers its own check, resource and stack", () => {
    expect(judged([skip])).toMatchObject({ skipped: 1, failures: [] });
    expect(judged([]).failures).toEqual(["mine: CKV_AWS_2 aws_lb_listener.balancer: HTTPS"]);
    expect(judged([{ ...skip, stacks: ["other"] }]).failures).toHaveLength(1);
  });

  test("fails when it matches nothing, has no reason, or is about what prod is never without", () => {
    expect(judged([skip, { ...skip, check: "CKV_AWS_1" }]).failures.join()).toContain("CKV_AWS_1");
    expect(judged([{ ...skip, reason: "later" }]).failures.join()).toContain("no reason");
    expect(judged([skip], "prod").failures.join()).toContain("must not be skipped in prod");
  });

  test("hides no resource that Checkov did not read", () => {
    expect(judged([skip], "dev", [...findings.read, "aws_vpc.network"]).failures.join()).toContain("aws_vpc.network");
  });
});

function writableRoot(recording: Recording) {
  const { inputs } = resourceOf(recording, "aws:ecs/taskDefinition:TaskDefinition", "workers");
  const open = String(inputs.containerDefinitions).replace(
    '"readonlyRootFilesystem":true',
    '"readonlyRootFilesystem":false',
  );
  return { containerDefinitions: open };
}

async function npmRun(script: string, ...args: string[]): Promise<{ code: number | null; lines: string[] }> {
  const child = spawn("npm", ["run", "--silent", script, "--", ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, lines: text.split("\n").filter((line) => line !== "" && !line.startsWith("npm warn")) };
}
