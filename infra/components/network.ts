/**
 * The VPC: two zones with a public, a private and an isolated subnet each. The load balancer stands in the public ones,
 * the cache in the isolated ones, and the tasks in the private ones, or, where there is no NAT gateway to pay for, in
 * the public ones with addresses of their own and no rule that lets anybody in.
 */
import * as cloudwatch from "@pulumi/aws/cloudwatch/index.js";
import * as ec2 from "@pulumi/aws/ec2/index.js";
import * as iam from "@pulumi/aws/iam/index.js";
import { Vpc, type VpcArgs } from "@pulumi/awsx/ec2/vpc.js";
import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  interpolate,
  type Output,
  type ResourceTransform,
} from "@pulumi/pulumi";
import { policyDocument, trust } from "./policies.js";
import { type Transform, transformed } from "./transform.js";

export interface NetworkArgs {
  region: string;
  accountId: Input<string>;
  /** Addresses of the VPC, /16 to /20; another one is another VPC. @example "10.0.0.0/16" */
  cidr: string;
  /**
   * How tasks reach the internet: `none` from public subnets with addresses of their own ($3.65 a month each), `single`
   * through one NAT gateway (about $33 a month, and no way out while its zone is down), `perAz` through one in each
   * zone (about $66); both and $0.045 a GB.
   */
  nat: "none" | "single" | "perAz";
  /**
   * false: tasks reach nothing outside the VPC, and AWS itself through four interface endpoints in two zones (about $58
   * a month). `nat` must be `none`.
   */
  internet: boolean;
  /** Days that flow logs are kept, or undefined to record none. About $0.50 a GB. */
  flowLogDays: number | undefined;
  transform?: {
    vpc?: Transform<VpcArgs>;
    endpoint?: Transform<ec2.VpcEndpointArgs>;
    flowLog?: Transform<ec2.FlowLogArgs>;
  };
}

export interface Endpoints {
  securityGroupId: Output<string>;
  /** The addresses of S3, which keep their public form behind the gateway. */
  s3PrefixListId: Output<string>;
}

const natStrategies = { none: "None", single: "Single", perAz: "OnePerAz" } as const;
/** What a task needs of AWS: its image, its logs, its secrets. Image layers come from S3, through the gateway. */
const endpointServices = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"];

export class Network extends ComponentResource {
  readonly vpcId: Output<string>;
  readonly publicSubnetIds: Output<string[]>;
  readonly privateSubnetIds: Output<string[]>;
  readonly isolatedSubnetIds: Output<string[]>;
  /** Where tasks run, and whether they have public addresses. */
  readonly tasks: { subnetIds: Output<string[]>; assignPublicIp: boolean };
  /** The ways to AWS inside the VPC, where there is no other. */
  readonly endpoints: Endpoints | undefined;

  constructor(
    name: string,
    private readonly args: NetworkArgs,
    opts?: ComponentResourceOptions,
  ) {
    super("switchyard:network:Network", name, {}, opts);
    const created = this.vpc(name);
    this.vpcId = created.vpcId;
    this.publicSubnetIds = created.publicSubnetIds;
    this.privateSubnetIds = created.privateSubnetIds;
    this.isolatedSubnetIds = created.isolatedSubnetIds;
    this.closeDefaultGroup(name);
    if (args.flowLogDays !== undefined) this.flowLogs(name, args.flowLogDays);

    const assignPublicIp = args.internet && args.nat === "none";
    this.tasks = { subnetIds: assignPublicIp ? this.publicSubnetIds : this.privateSubnetIds, assignPublicIp };
    this.endpoints = args.internet ? undefined : this.createEndpoints(name);
    this.registerOutputs({ vpcId: this.vpcId });
  }

  private vpc(name: string): Vpc {
    const { region, cidr, nat, transform } = this.args;
    const args: VpcArgs = {
      cidrBlock: cidr,
      numberOfAvailabilityZones: 2,
      enableDnsHostnames: true,
      natGateways: { strategy: natStrategies[nat] },
      subnetStrategy: "Auto",
      subnetSpecs: [{ type: "Public" }, { type: "Private" }, { type: "Isolated" }],
      // Free, and the way of every image layer: without it they would cost NAT traffic.
      vpcEndpointStrategy: "Auto",
      vpcEndpointSpecs: [{ serviceName: `com.amazonaws.${region}.s3`, vpcEndpointType: "Gateway" }],
    };
    return new Vpc(name, transformed(args, transform?.vpc), {
      parent: this,
      // Tasks ask for a public address where they need one; nothing else that is started there by accident gets one.
      transforms: [noPublicAddresses],
    });
  }

  /** Whatever is started without a group of its own gets one that admits and reaches nothing. */
  private closeDefaultGroup(name: string): void {
    new ec2.DefaultSecurityGroup(`${name}-default`, { vpcId: this.vpcId, ingress: [], egress: [] }, { parent: this });
  }

  private flowLogs(name: string, retentionInDays: number): void {
    const group = new cloudwatch.LogGroup(`${name}-flow`, { retentionInDays }, { parent: this });
    const role = new iam.Role(
      `${name}-flow`,
      { assumeRolePolicy: trust("vpc-flow-logs.amazonaws.com", this.args.accountId) },
      { parent: this },
    );
    const policy = policyDocument([
      {
        actions: ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"],
        resources: [group.arn, interpolate`${group.arn}:*`],
      },
    ]);
    const allowed = new iam.RolePolicy(`${name}-flow`, { role: role.id, policy }, { parent: this });
    const args: ec2.FlowLogArgs = {
      vpcId: this.vpcId,
      trafficType: "ALL",
      logDestination: group.arn,
      iamRoleArn: role.arn,
    };
    // AWS tries the role when the flow log is made.
    new ec2.FlowLog(name, transformed(args, this.args.transform?.flowLog), { parent: this, dependsOn: allowed });
  }

  private createEndpoints(name: string): Endpoints {
    const group = new ec2.SecurityGroup(
      `${name}-endpoints`,
      { vpcId: this.vpcId, description: "AWS, reached inside the VPC" },
      { parent: this },
    );
    for (const service of endpointServices) {
      const args: ec2.VpcEndpointArgs = {
        vpcId: this.vpcId,
        serviceName: `com.amazonaws.${this.args.region}.${service}`,
        vpcEndpointType: "Interface",
        privateDnsEnabled: true,
        subnetIds: this.privateSubnetIds,
        securityGroupIds: [group.id],
      };
      const endpoint = `${name}-${service.replace(".", "-")}`;
      new ec2.VpcEndpoint(endpoint, transformed(args, this.args.transform?.endpoint), { parent: this });
    }
    const s3 = ec2.getPrefixListOutput({ name: `com.amazonaws.${this.args.region}.s3` }, { parent: this });
    return { securityGroupId: group.id, s3PrefixListId: s3.id };
  }
}

const noPublicAddresses: ResourceTransform = ({ type, props, opts }) =>
  type === "aws:ec2/subnet:Subnet" ? { props: { ...props, mapPublicIpOnLaunch: false }, opts } : undefined;
