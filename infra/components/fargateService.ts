/**
 * What both roles have in common: a security group, a log group, two roles, a task definition and a service. The
 * container is closed: no root, a read-only file system with a small /tmp, secrets by reference only.
 */
import * as cloudwatch from "@pulumi/aws/cloudwatch/index.js";
import * as ec2 from "@pulumi/aws/ec2/index.js";
import * as ecs from "@pulumi/aws/ecs/index.js";
import * as iam from "@pulumi/aws/iam/index.js";
import * as vpc from "@pulumi/aws/vpc/index.js";
import {
  ComponentResource,
  type ComponentResourceOptions,
  type CustomTimeouts,
  type Input,
  interpolate,
  jsonStringify,
  type Output,
  type Resource,
} from "@pulumi/pulumi";
import type { OwnName } from "../environment.js";
import type { FargateSize } from "../fargateSizes.js";
import type { Cluster } from "./cluster.js";
import { type ContainerArgs, type ContainerRole, containerDefinition } from "./containerDefinition.js";
import { allowHop } from "./hop.js";
import { architecture } from "./image.js";
import { boundedName } from "./names.js";
import type { Network } from "./network.js";
import { policyDocument, type Statement, trust } from "./policies.js";
import type { SecretReference } from "./secretValue.js";
import { type Transform, transformed } from "./transform.js";

/** What `ServerService` and `WorkerService` have in common, for the program to say once. */
export interface FargateServiceArgs extends ContainerArgs {
  accountId: Input<string>;
  network: Network;
  cluster: Cluster;
  /** Tasks. Cost of one: $29.55 a month for a vCPU and $3.24 for a GiB. */
  count: number;
  size: FargateSize;
  /** Secret environment of the agents. */
  secrets: Record<string, SecretReference>;
  logDays: number;
  transform?: {
    service?: Transform<ecs.ServiceArgs>;
    taskDefinition?: Transform<ecs.TaskDefinitionArgs>;
  };
}

/** What tells one role from the other. */
export interface FargateRole extends ContainerRole {
  secrets: Partial<Record<OwnName, SecretReference>>;
  /** Rights of the code in the container. */
  taskStatements: Statement[];
  taskPolicyArns: string[];
  service: Partial<ecs.ServiceArgs>;
  timeouts: CustomTimeouts;
  /** What must be there before the first task. */
  after: Resource[];
}

export class FargateService extends ComponentResource {
  readonly securityGroupId: Output<string>;
  readonly serviceName: Output<string>;
  readonly logGroupName: Output<string>;

  /** By name in the environment. */
  private readonly secrets: Record<string, SecretReference>;

  constructor(
    name: string,
    private readonly args: FargateServiceArgs,
    private readonly role: FargateRole,
    opts?: ComponentResourceOptions,
  ) {
    super("switchyard:service:FargateService", name, {}, opts);
    const { password } = args.redis;
    this.secrets = { ...args.secrets, ...(password && { REDIS_PASSWORD: password }), ...role.secrets };
    const securityGroup = this.securityGroup(name);
    const logs = this.logGroup(name);
    const task = this.taskDefinition(name, logs, this.executionRole(name, logs), this.taskRole(name));
    const service = this.service(name, task, securityGroup);
    this.securityGroupId = securityGroup.id;
    this.serviceName = service.name;
    this.logGroupName = logs.name;
    this.registerOutputs({ serviceName: this.serviceName });
  }

  /** Reaches Redis and, on port 443, what the network lets it reach: AWS, and the internet where there is one. */
  private securityGroup(name: string): ec2.SecurityGroup {
    const { network, redis } = this.args;
    const group = new ec2.SecurityGroup(
      name,
      { vpcId: network.vpcId, description: `Tasks: ${this.role.command}` },
      { parent: this },
    );
    const egress = (to: string, port: number, target: { cidrIpv4: string } | { prefixListId: Output<string> }) =>
      new vpc.SecurityGroupEgressRule(
        `${name}-${to}`,
        { securityGroupId: group.id, ipProtocol: "tcp", fromPort: port, toPort: port, description: to, ...target },
        { parent: this },
      );
    if ("cidr" in redis.address) egress("redis", redis.address.port, { cidrIpv4: redis.address.cidr });
    else
      allowHop(
        `${name}-redis`,
        {
          from: group.id,
          to: redis.address.securityGroupId,
          port: redis.address.port,
          description: `${name} to Valkey`,
        },
        this,
      );
    if (network.endpoints === undefined) egress("https", 443, { cidrIpv4: "0.0.0.0/0" });
    else {
      const { securityGroupId, s3PrefixListId } = network.endpoints;
      allowHop(`${name}-aws`, { from: group.id, to: securityGroupId, port: 443, description: `${name} to AWS` }, this);
      egress("s3", 443, { prefixListId: s3PrefixListId });
    }
    return group;
  }

  private logGroup(name: string): cloudwatch.LogGroup {
    return new cloudwatch.LogGroup(
      name,
      { name: `/switchyard/${this.args.stack}/${name}`, retentionInDays: this.args.logDays },
      { parent: this },
    );
  }

  /** What ECS may do to start a task: pull this image, write these logs, read these secrets. */
  private executionRole(name: string, logs: cloudwatch.LogGroup): iam.Role {
    const role = this.iamRole(`${name}-execution`);
    const references = Object.values(this.secrets);
    // Kept by somebody else, perhaps under a key of their own; ours are under a key that asks for nothing.
    const foreign = references.filter((reference) => reference.foreign).map(({ arn }) => arn);
    const policy = policyDocument([
      ...this.args.image.pull,
      { actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [interpolate`${logs.arn}:*`] },
      { actions: ["secretsmanager:GetSecretValue"], resources: references.map(({ arn }) => arn) },
      {
        actions: ["kms:Decrypt"],
        resources: foreign.map(() => "*").slice(0, 1),
        conditions: { StringEquals: { "kms:EncryptionContext:SecretARN": foreign } },
      },
    ]);
    new iam.RolePolicy(`${name}-execution`, { role: role.id, policy }, { parent: this });
    return role;
  }

  /** What the code in the container may do on AWS. */
  private taskRole(name: string): iam.Role {
    const role = this.iamRole(`${name}-task`);
    const { taskStatements, taskPolicyArns } = this.role;
    if (taskStatements.length > 0)
      new iam.RolePolicy(`${name}-task`, { role: role.id, policy: policyDocument(taskStatements) }, { parent: this });
    for (const policyArn of taskPolicyArns)
      new iam.RolePolicyAttachment(
        `${name}-${policyArn.replace(/^.*::/, "").replace(/[:/]+/g, "-")}`,
        { role: role.name, policyArn },
        { parent: this },
      );
    return role;
  }

  private iamRole(name: string): iam.Role {
    const assumeRolePolicy = trust("ecs-tasks.amazonaws.com", this.args.accountId);
    return new iam.Role(name, { assumeRolePolicy }, { parent: this });
  }

  private taskDefinition(
    name: string,
    logs: cloudwatch.LogGroup,
    executionRole: iam.Role,
    taskRole: iam.Role,
  ): ecs.TaskDefinition {
    const { stack, size, transform } = this.args;
    const args: ecs.TaskDefinitionArgs = {
      family: boundedName(stack, name, 255),
      requiresCompatibilities: ["FARGATE"],
      networkMode: "awsvpc",
      runtimePlatform: { operatingSystemFamily: "LINUX", cpuArchitecture: architecture },
      cpu: String(size.cpu),
      memory: String(size.memory),
      executionRoleArn: executionRole.arn,
      taskRoleArn: taskRole.arn,
      containerDefinitions: jsonStringify([containerDefinition(name, this.args, this.role, this.secrets, logs.name)]),
    };
    return new ecs.TaskDefinition(name, transformed(args, transform?.taskDefinition), { parent: this });
  }

  private service(name: string, task: ecs.TaskDefinition, securityGroup: ec2.SecurityGroup): ecs.Service {
    const { network, cluster, count, transform } = this.args;
    const args: ecs.ServiceArgs = {
      cluster: cluster.arn,
      taskDefinition: task.arn,
      launchType: "FARGATE",
      platformVersion: "LATEST",
      desiredCount: count,
      deploymentMinimumHealthyPercent: 100,
      deploymentMaximumPercent: 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      networkConfiguration: {
        subnets: network.tasks.subnetIds,
        securityGroups: [securityGroup.id],
        assignPublicIp: network.tasks.assignPublicIp,
      },
      enableEcsManagedTags: true,
      propagateTags: "SERVICE",
      ...this.role.service,
    };
    return new ecs.Service(name, transformed(args, transform?.service), {
      parent: this,
      dependsOn: [cluster, ...this.role.after],
      customTimeouts: this.role.timeouts,
    });
  }
}
