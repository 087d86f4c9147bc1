import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { secretMark } from "../../infra/engine/cloud.js";
import { type Recording, resourceOf, resourcesOf } from "../../infra/engine/recording.js";
import { runProgram } from "../../infra/engine/run.js";
import { SecretText, stackConfig } from "../../infra/engine/stackFiles.js";
import { isValues } from "../../infra/engine/wire.js";
import { contentHash, copyProject } from "../../infra/imageContent.js";
import { containerOf, pathsOf, program, root } from "./support.js";

const ready = `999988887777.dkr.ecr.us-east-1.amazonaws.com/team/agents@sha256:${"a".repeat(64)}`;
const certificateArn = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d";

/** Four stacks that make every choice between them; the same run serves several tests. */
const trial = () => program("dev");
const durable = () => program("prod", { cacheTier: "durable", restoreFrom: "before", certificateArn }, { zones: [] });
const adopting = () => {
  const redisUrl = new SecretText(`rediss://team:${secretMark}@10.9.0.4:6380`);
  return program("dev", { redisUrl, image: ready, scheme: "internal", allowedCidrs: ["10.0.0.0/8"] });
};
const own = (agents: string) => {
  const npmToken = new SecretText(`${secretMark}-npm`);
  const environment = { REGION_OF_MODEL: "eu" };
  return program("prod", { agents, npmToken, environment, allowedCidrs: ["0.0.0.0/0"] });
};

let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "agents-"));
  for (const folder of ["src", "node_modules/left-pad", ".git"]) mkdirSync(join(project, folder), { recursive: true });
  for (const file of ["langgraph.json", "package.json", "src/agent.ts", ".env", "src/.env.local", ".git/HEAD"])
    writeFileSync(join(project, file), file.endsWith(".json") ? "{}" : file);
});
afterAll(() => rmSync(project, { recursive: true }));

const workers = (recording: Recording) =>
  containerOf(resourceOf(recording, "aws:ecs/taskDefinition:TaskDefinition", "workers"));
const cacheOf = (recording: Recording) =>
  resourceOf(recording, "aws:elasticache/replicationGroup:ReplicationGroup", "cache").inputs;

describe("Valkey", () => {
  test("holds runs and evicts none, speaks TLS, and knows one user with what the app needs", async () => {
    const dev = await trial();
    expect(cacheOf(dev)).toMatchObject({
      engine: "valkey",
      transitEncryptionEnabled: true,
      transitEncryptionMode: "required",
      atRestEncryptionEnabled: true,
      numCacheClusters: 1,
    });
    expect(
      pathsOf(resourceOf(dev, "aws:elasticache/parameterGroup:ParameterGroup", "cache-valkey8").inputs, "noeviction"),
    ).toHaveLength(1);
    const users = resourcesOf(dev, "aws:elasticache/user:User").map(({ inputs }) => [
      inputs.userName,
      inputs.accessString,
    ]);
    expect(Object.fromEntries(users)).toEqual({
      app: "on ~{sw:* ~sw:* &{sw:* &sw:* +@all -@dangerous +info +role",
      default: "off -@all",
    });
  });

  test("that must lose nothing is a durable cluster, and the app is told", async () => {
    const prod = await durable();
    expect(cacheOf(prod)).toMatchObject({
      engineVersion: "9.0",
      clusterMode: "enabled",
      durability: "sync",
      multiAzEnabled: true,
      snapshotName: "before",
    });
    expect(
      pathsOf(
        resourceOf(prod, "aws:elasticache/parameterGroup:ParameterGroup", "cache-valkey9").inputs,
        "cluster-enabled",
      ),
    ).toHaveLength(1);
    expect(workers(prod).environment).toMatchObject({
      REDIS_URL: "rediss://clustercfg.cache-0a1b2c3.cache.us-east-1.amazonaws.com:6379",
      REDIS_CLUSTER: "true",
    });
    expect(prod.outputs.loss).toContain("nothing that was acknowledged");
  });

  test("becomes another one where AWS can't change it in place: to a cluster and back", async () => {
    const [dev, ha, cluster] = await Promise.all([trial(), program("staging"), durable()]);
    expect([dev, ha, cluster].map((recording) => cacheOf(recording).clusterMode)).toEqual([
      "disabled",
      "disabled",
      "enabled",
    ]);
    const group = resourceOf(cluster, "aws:elasticache/replicationGroup:ReplicationGroup", "cache");
    expect(group.replaceOnChanges).toEqual(["clusterMode"]);
    expect(cacheOf(dev).engineVersion).toBe(cacheOf(ha).engineVersion);
  });

  test("keeps the version that the program names, or a refresh would plan another cache", async () => {
    expect(cacheOf(await trial()).autoMinorVersionUpgrade).toBe(false);
  });

  test("gets a new password while the one before stays valid: the user first, then the secret, then the tasks", async () => {
    const [first, second] = await Promise.all([trial(), program("dev", { redisPasswordGeneration: 2 })]);
    const passwords = (recording: Recording) =>
      resourceOf(recording, "aws:elasticache/user:User", "cache-app").inputs.passwords;
    const password = (generation: number) => `${secretMark}-cache-password-${generation}`.padEnd(64, "0");
    expect(passwords(first)).toEqual([password(1), password(0)]);
    expect(passwords(second)).toEqual([password(2), password(1)]);
    const secret = resourceOf(second, "aws:secretsmanager/secretVersion:SecretVersion", "cache-password");
    expect(secret.inputs.secretString).toBe(password(2));
    expect(secret.dependencies).toContain(resourceOf(second, "aws:elasticache/user:User", "cache-app").urn);
    expect(resourceOf(second, "aws:ecs/taskDefinition:TaskDefinition", "workers").dependencies).toContain(secret.urn);
  });

  test("that is there already is adopted: no cache, its login apart, and keys under the stack's name", async () => {
    const adopted = await adopting();
    expect(adopted.resources.filter(({ type }) => type.startsWith("aws:elasticache/"))).toEqual([]);
    const { environment, secrets, all } = workers(adopted);
    expect(environment).toMatchObject({
      REDIS_URL: "rediss://10.9.0.4:6380",
      REDIS_USERNAME: "team",
      KEY_PREFIX: "dev",
    });
    expect(secrets.REDIS_PASSWORD).toContain(":secret:redis-password");
    expect(pathsOf(all, secretMark)).toEqual([]);
    expect(
      resourceOf(adopted, "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "workers-redis").inputs,
    ).toMatchObject({ cidrIpv4: "10.9.0.4/32", fromPort: 6380 });
  });
});

describe("the edge", () => {
  test("without a domain speaks HTTP and says who can't come in, and how to", async () => {
    const dev = await trial();
    expect(resourceOf(dev, "aws:lb/listener:Listener", "balancer").inputs).toMatchObject({
      port: 80,
      protocol: "HTTP",
    });
    expect(dev.outputs.url).toMatch(/^http:\/\/balancer-/);
    expect(dev.outputs.access).toContain("pulumi config set --path 'allowedCidrs[0]'");
    expect(dev.outputs.try).toContain('-H "x-api-key: $(pulumi stack output apiKey --show-secrets)"');
  });

  test("with a domain of the account's zone makes the certificate and the record, and no port 80", async () => {
    const prod = await own(project);
    const listeners = resourcesOf(prod, "aws:lb/listener:Listener");
    expect(listeners.map(({ inputs }) => [inputs.port, inputs.protocol])).toEqual([[443, "HTTPS"]]);
    expect(listeners[0]?.inputs.certificateArn).toContain("certificate");
    const records = resourcesOf(prod, "aws:route53/record:Record").map(({ inputs }) => [
      inputs.zoneId,
      inputs.name,
      inputs.type,
    ]);
    expect(records).toContainEqual(["Z-example.com", "agents.example.com", "A"]);
    // Another stack may have its certificate by the same proof.
    const proof = resourceOf(prod, "aws:route53/record:Record", "balancer-certificate-proof");
    expect(proof).toMatchObject({ retainOnDelete: true, inputs: { allowOverwrite: true } });
    expect(prod.outputs).toMatchObject({ url: "https://agents.example.com", access: "Open to 0.0.0.0/0" });
  });

  test("with a certificate asks for no zone, and names the record to make", async () => {
    const prod = await durable();
    expect(resourceOf(prod, "aws:lb/listener:Listener", "balancer").inputs).toMatchObject({ certificateArn });
    expect(prod.resources.filter(({ type }) => /acm|route53/.test(type))).toEqual([]);
    expect(prod.outputs.dnsRecord).toMatch(/agents\.example\.com CNAME balancer-\S+\.elb\.amazonaws\.com /);
    expect(prod.outputs.dnsRecord).toContain("ALIAS or ANAME");
  });

  test("that is internal stands in the private subnets", async () => {
    const { inputs } = resourceOf(await adopting(), "aws:lb/loadBalancer:LoadBalancer", "balancer");
    expect(inputs.internal).toBe(true);
    expect(pathsOf(inputs.subnets, "network-private-")).toHaveLength(2);
  });

  test("that is internal asks for a network inside, not for the caller's address outside", async () => {
    const { outputs } = await program("dev", { scheme: "internal", vpcCidr: "10.42.0.0/18" });
    expect(outputs.access).toContain("10.42.0.0/18");
    expect(outputs.access).not.toContain("checkip");
  });
});

describe("the network", () => {
  test("takes the addresses that the stack gives it, and says which VPC it is", async () => {
    const recording = await program("dev", { scheme: "internal", vpcCidr: "10.42.0.0/18" });
    const vpc = resourceOf(recording, "aws:ec2/vpc:Vpc", "network");
    expect(vpc.inputs.cidrBlock).toBe("10.42.0.0/18");
    expect(recording.outputs.vpcId).toBe(vpc.id);
  });
});

describe("the image", () => {
  test("that is ready needs no Docker, no repository, and rights only where it lies", async () => {
    const adopted = await adopting();
    expect(adopted.resources.filter(({ type }) => /^(docker-build|aws:ecr)/.test(type))).toEqual([]);
    expect(workers(adopted).all.image).toBe(ready);
    const { policy } = resourceOf(adopted, "aws:iam/rolePolicy:RolePolicy", "workers-execution").inputs;
    expect(policy).toContain('"arn:aws:ecr:us-east-1:999988887777:repository/team/agents"');
  });

  test("is built from the app and your agents, pushed under the hash of all it is made of, and pinned before the services roll", async () => {
    const built = await own(project);
    const image = resourceOf(built, "docker-build:index:Image", "agents");
    expect(image.inputs).toMatchObject({
      push: true,
      buildOnPreview: false,
      platforms: ["linux/amd64"],
      context: { location: ".." },
      dockerfile: { location: "../app/Dockerfile" },
      buildArgs: { AGENT_ENVIRONMENT: "REGION_OF_MODEL" },
      secrets: { NPM_TOKEN: `${secretMark}-npm` },
    });
    expect(String(image.inputs.tags)).toMatch(
      /^\d+\.dkr\.ecr\.[\w.-]+\/agents-0a1b2c3:prod-[0-9a-f]{16}-[0-9a-f]{16}-[0-9a-f]{16}$/,
    );
    expect(image.secretPaths).toEqual(expect.arrayContaining(["secrets", "registries[0].password"]));
    for (const role of ["servers", "workers"])
      expect(resourceOf(built, "aws:ecs/taskDefinition:TaskDefinition", role).dependencies).toContain(image.urn);
    const { context } = image.inputs;
    const named =
      isValues(context) && isValues(context.named) && isValues(context.named.agents) ? context.named.agents : {};
    expect(named.location).toMatch(/^\.\.\/node_modules\/\.cache\/switchyard\/agents-[0-9a-f]{16}$/);
  });

  test("that comes back is pushed under the tag that it had, which the repository allows", async () => {
    const file = join(project, "src/agent.ts");
    const tagOf = (recording: Recording) => resourceOf(recording, "docker-build:index:Image", "agents").inputs.tags;
    // Not `program`, which would remember the first run: what changes is a file.
    const built = async (content: string) => {
      writeFileSync(file, content);
      const { errors, ...recording } = await runProgram({
        root,
        stack: "dev",
        config: stackConfig(root, "dev", { agents: project }),
      });
      expect(errors).toEqual([]);
      return { errors, ...recording };
    };
    const [first, second, third] = [await built("A"), await built("B"), await built("A")];
    expect(tagOf(second)).not.toEqual(tagOf(first));
    expect(tagOf(third)).toEqual(tagOf(first));
    expect(resourceOf(third, "aws:ecr/repository:Repository", "agents").inputs.imageTagMutability).toBe("MUTABLE");
  });

  test("of the bundled agents is built from a copy as well", async () => {
    const { context } = resourceOf(await trial(), "docker-build:index:Image", "agents").inputs;
    expect(JSON.stringify(context)).toContain("../node_modules/.cache/switchyard/agents-");
  });

  test("takes a folder that holds this repository, and leaves the repository out", () => {
    const outer = mkdtempSync(join(tmpdir(), "outer-"));
    try {
      const repository = join(outer, "switchyard");
      const cache = join(repository, "node_modules/.cache/switchyard");
      mkdirSync(repository);
      for (const name of ["langgraph.json", "package.json"]) writeFileSync(join(outer, name), "{}");
      writeFileSync(join(repository, "Pulumi.yaml"), "name: switchyard");
      writeFileSync(join(outer, "run.sh"), "#!/bin/sh", { mode: 0o755 });
      symlinkSync("run.sh", join(outer, "link.sh"));
      const copy = copyProject(outer, cache, repository);
      expect(readdirSync(copy).sort()).toEqual(["langgraph.json", "link.sh", "package.json", "run.sh"]);
      expect(readFileSync(join(copy, "link.sh"), "utf8")).toBe("#!/bin/sh");
      expect(statSync(join(copy, "run.sh")).mode & 0o100).toBe(0o100);
      expect(copyProject(outer, cache, repository)).toBe(copy);
    } finally {
      rmSync(outer, { recursive: true });
    }
  });

  test("leaves no copies that nobody has used for a day", () => {
    const cache = mkdtempSync(join(tmpdir(), "cache-"));
    try {
      const longAgo = new Date(Date.now() - 2 * 24 * 60 * 60 * 1000);
      const [old, recent] = ["agents-old", "agents-recent"].map((name) => join(cache, name)) as [string, string];
      for (const folder of [old, recent]) mkdirSync(folder);
      const copy = copyProject(project, cache, root);
      for (const folder of [old, copy]) utimesSync(folder, longAgo, longAgo);
      expect(copyProject(project, cache, root)).toBe(copy);
      expect(existsSync(old)).toBe(false);
      expect(existsSync(recent)).toBe(true);
      expect(statSync(copy).mtimeMs).toBeGreaterThan(longAgo.getTime());
    } finally {
      rmSync(cache, { recursive: true });
    }
  });

  test("never holds .env files, node_modules or .git", () => {
    const cache = mkdtempSync(join(tmpdir(), "cache-"));
    try {
      const copy = copyProject(project, cache, root);
      expect(contentHash(copy)).toBe(contentHash(project));
      const before = contentHash(project);
      writeFileSync(join(project, ".env"), "OTHER=1");
      expect(contentHash(project)).toBe(before);
      writeFileSync(join(project, "src/agent.ts"), "changed");
      expect(copyProject(project, cache, root)).not.toBe(copy);
    } finally {
      rmSync(cache, { recursive: true });
    }
  });
});
