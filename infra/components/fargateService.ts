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
  /** Security group whose members call the port; without one nobody does. */
  caller: Input<string> | undefined;
  /** Reached besides Redis and port 443. */
  egress: { cidr: string; port: number }[];
  /** Rights of the code in the container. */
  taskStatements: Statement[];
  taskPolicyArns: string[];
  service: Partial<ecs.ServiceArgs>;
  timeouts: CustomTimeouts;
  after: Resource[];
}

export class FargateService extends ComponentResource {
  readonly serviceName: Output<string>;
  readonly logGroupName: Output<string>;

  /** By name in the environment. */
  private readonly secrets: Record<string, SecretReference>;
  /**
   * What a task needs and its definition doesn't name: rights, ways through the network, the load balancer. Tasks that
   * start without them fail, and three failures are what the circuit breaker takes for a bad deployment.
   */
  private readonly prerequisites: Resource[];
  private readonly openWays = new Set<string>();

  constructor(
    name: string,
    private readonly args: FargateServiceArgs,
    private readonly role: FargateRole,
    opts?: ComponentResourceOptions,
  ) {
    super("switchyard:service:FargateService", name, {}, opts);
    const { password } = args.redis;
    this.secrets = { ...args.secrets, ...(password && { REDIS_PASSWORD: password }), ...role.secrets };
    this.prerequisites = [args.cluster, args.network, ...role.after];
    const securityGroup = this.securityGroup(name);
    const logs = this.logGroup(name);
    const task = this.taskDefinition(name, logs, this.executionRole(name, logs), this.taskRole(name));
    const service = this.service(name, task, securityGroup);
    this.serviceName = service.name;
    this.logGroupName = logs.name;
    this.registerOutputs({ serviceName: this.serviceName });
  }

  private securityGroup(name: string): ec2.SecurityGroup {
    const group = new ec2.SecurityGroup(
      name,
      { vpcId: this.args.network.vpcId, description: `Tasks: ${this.role.command}` },
      { parent: this },
    );
    this.admitCaller(name, group);
    this.reachRedis(name, group);
    this.reachServices(name, group);
    for (const { cidr, port } of this.role.egress)
      this.allowEgress(`${name}-${cidr.replace("/", "-")}-${port}`, group, port, { cidrIpv4: cidr });
    return group;
  }

  private admitCaller(name: string, group: ec2.SecurityGroup): void {
    const { caller, port } = this.role;
    if (caller === undefined) return;
    const hop = { from: caller, to: group.id, port, description: `calls to ${name}` };
    this.prerequisites.push(...allowHop(`${name}-calls`, hop, this));
  }

  private reachRedis(name: string, group: ec2.SecurityGroup): void {
    const { address } = this.args.redis;
    if ("cidr" in address) this.allowEgress(`${name}-redis`, group, address.port, { cidrIpv4: address.cidr });
    else {
      const hop = { from: group.id, to: address.securityGroupId, port: address.port, description: `${name} to Valkey` };
      this.prerequisites.push(...allowHop(`${name}-redis`, hop, this));
    }
  }

  /** AWS, and the internet where there is one. */
  private reachServices(name: string, group: ec2.SecurityGroup): void {
    const { endpoints } = this.args.network;
    if (endpoints === undefined) this.allowEgress(`${name}-https`, group, 443, { cidrIpv4: "0.0.0.0/0" });
    else {
      const hop = { from: group.id, to: endpoints.securityGroupId, port: 443, description: `${name} to AWS` };
      this.prerequisites.push(...allowHop(`${name}-aws`, hop, this));
      this.allowEgress(`${name}-s3`, group, 443, { prefixListId: endpoints.s3PrefixListId });
    }
  }

  private allowEgress(
    name: string,
    group: ec2.SecurityGroup,
    port: number,
    target: { cidrIpv4: string } | { prefixListId: Output<string> },
  ): void {
    // AWS refuses a rule that is there already, and a stack may ask for what is open anyway.
    if ("cidrIpv4" in target) {
      const way = `${target.cidrIpv4}:${port}`;
      if (this.openWays.has(way)) return;
      this.openWays.add(way);
    }
    const rule = { ipProtocol: "tcp", fromPort: port, toPort: port, description: "tasks to others" };
    const args = { ...rule, securityGroupId: group.id, ...target };
    this.prerequisites.push(new vpc.SecurityGroupEgressRule(name, args, { parent: this }));
  }

  private logGroup(name: string): cloudwatch.LogGroup {
    return new cloudwatch.LogGroup(
      name,
      { namePrefix: `/switchyard/${this.args.stack}/${name}-`, retentionInDays: this.args.logDays },
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
      ...(foreign.length === 0 ? [] : [decryptSecrets(foreign)]),
    ]);
    this.prerequisites.push(new iam.RolePolicy(`${name}-execution`, { role: role.id, policy }, { parent: this }));
    return role;
  }

  /** What the code in the container may do on AWS. */
  private taskRole(name: string): iam.Role {
    const role = this.iamRole(`${name}-task`);
    const { taskStatements, taskPolicyArns } = this.role;
    if (taskStatements.length > 0) {
      const args = { role: role.id, policy: policyDocument(taskStatements) };
      this.prerequisites.push(new iam.RolePolicy(`${name}-task`, args, { parent: this }));
    }
    for (const policyArn of taskPolicyArns) {
      // Path and name as they are: with other marks in them, two policies could become one.
      const attachment = `${name}-${policyArn.replace(/^.*::/, "")}`;
      const args = { role: role.name, policyArn };
      this.prerequisites.push(new iam.RolePolicyAttachment(attachment, args, { parent: this }));
    }
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
      // Workers that drain still run on the one before, and ECS could not bring one of them back.
      skipDestroy: true,
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
      dependsOn: this.prerequisites,
      customTimeouts: this.role.timeouts,
    });
  }
}

/** For any key, but only to open these secrets. */
function decryptSecrets(arns: Input<string>[]): Statement {
  return {
    actions: ["kms:Decrypt"],
    resources: ["*"],
    conditions: { StringEquals: { "kms:EncryptionContext:SecretARN": arns } },
  };
}
