/**
 * The load balancer: the one way in. It picks a server for each request, because any server can serve any client, so
 * there is no stickiness. Without a CIDR in `allowedCidrs` its security group admits nobody.
 */
import * as ec2 from "@pulumi/aws/ec2/index.js";
import * as lb from "@pulumi/aws/lb/index.js";
import * as route53 from "@pulumi/aws/route53/index.js";
import * as vpc from "@pulumi/aws/vpc/index.js";
import { ComponentResource, type ComponentResourceOptions, type Input, interpolate, type Output } from "@pulumi/pulumi";
import { serverPort } from "../environment.js";
import type { Timing } from "../timing.js";
import type { AccessLogs } from "./accessLogs.js";
import { Certificate } from "./certificate.js";
import type { Network } from "./network.js";
import { type Transform, transformed } from "./transform.js";

export interface LoadBalancerArgs {
  network: Network;
  /** `internal` is reached only from the VPC and its peers. */
  scheme: "internet" | "internal";
  /** IPv4 networks that may connect; none means nobody. @example ["203.0.113.7/32"] */
  allowedCidrs: string[];
  /** Brings HTTPS on port 443 and no port 80; without it plain HTTP on port 80. */
  domain: Domain | undefined;
  timing: Timing;
  accessLogs: AccessLogs;
  /** AWS refuses to delete it until this is off again. */
  deletionProtection: boolean;
  transform?: {
    loadBalancer?: Transform<lb.LoadBalancerArgs>;
    targetGroup?: Transform<lb.TargetGroupArgs>;
    listener?: Transform<lb.ListenerArgs>;
  };
}

/** The API's name, with a certificate for it or the Route 53 zone to make the certificate and the DNS record in. */
export type Domain = { name: string; certificateArn: string } | { name: string; zoneId: string };

/** Cost: about $16 a month and $0.008 an hour for each LCU of load. */
export class LoadBalancer extends ComponentResource {
  readonly url: Output<string>;
  /** What a CNAME of the domain must point to. */
  readonly hostName: Output<string>;
  readonly securityGroupId: Output<string>;
  readonly targetGroupArn: Output<string>;

  constructor(
    name: string,
    private readonly args: LoadBalancerArgs,
    opts?: ComponentResourceOptions,
  ) {
    super("switchyard:loadBalancer:LoadBalancer", name, {}, opts);
    const securityGroup = this.securityGroup(name);
    const balancer = this.loadBalancer(name, securityGroup);
    const targets = this.targetGroup(name);
    this.listener(name, balancer, targets, this.certificate(name));
    this.record(name, balancer);

    this.hostName = balancer.dnsName;
    this.url =
      args.domain === undefined ? interpolate`http://${balancer.dnsName}` : interpolate`https://${args.domain.name}`;
    this.securityGroupId = securityGroup.id;
    this.targetGroupArn = targets.arn;
    this.registerOutputs({ url: this.url });
  }

  private get port(): number {
    return this.args.domain === undefined ? 80 : 443;
  }

  private securityGroup(name: string): ec2.SecurityGroup {
    const { network, allowedCidrs } = this.args;
    const group = new ec2.SecurityGroup(name, { vpcId: network.vpcId, description: "Load balancer" }, { parent: this });
    for (const cidr of allowedCidrs)
      new vpc.SecurityGroupIngressRule(
        `${name}-${cidr.replace("/", "-")}`,
        {
          securityGroupId: group.id,
          cidrIpv4: cidr,
          ipProtocol: "tcp",
          fromPort: this.port,
          toPort: this.port,
          description: "allowed by the stack",
        },
        { parent: this },
      );
    return group;
  }

  private loadBalancer(name: string, securityGroup: ec2.SecurityGroup): lb.LoadBalancer {
    const { network, scheme, timing, accessLogs, deletionProtection, transform } = this.args;
    const internal = scheme === "internal";
    const args: lb.LoadBalancerArgs = {
      loadBalancerType: "application",
      internal,
      subnets: internal ? network.privateSubnetIds : network.publicSubnetIds,
      securityGroups: [securityGroup.id],
      idleTimeout: timing.idleSeconds,
      dropInvalidHeaderFields: true,
      desyncMitigationMode: "defensive",
      enableDeletionProtection: deletionProtection,
      accessLogs: { enabled: true, bucket: accessLogs.bucket },
    };
    return new lb.LoadBalancer(name, transformed(args, transform?.loadBalancer), {
      parent: this,
      dependsOn: accessLogs.policy,
      customTimeouts: timing.timeouts.loadBalancer,
    });
  }

  private targetGroup(name: string): lb.TargetGroup {
    const { network, timing, transform } = this.args;
    const args: lb.TargetGroupArgs = {
      vpcId: network.vpcId,
      targetType: "ip",
      protocol: "HTTP",
      port: serverPort,
      deregistrationDelay: timing.deregistrationSeconds,
      // Streams are long and requests short: counting open ones spreads both.
      loadBalancingAlgorithmType: "least_outstanding_requests",
      stickiness: { type: "lb_cookie", enabled: false },
      healthCheck: {
        path: "/ok",
        matcher: "200",
        interval: 10,
        timeout: 5,
        healthyThreshold: 2,
        unhealthyThreshold: 3,
      },
    };
    // Names of target groups hold 32 characters, of which Pulumi takes eight for its suffix.
    return new lb.TargetGroup(`${name}-servers`, transformed(args, transform?.targetGroup), {
      parent: this,
      customTimeouts: timing.timeouts.targetGroup,
    });
  }

  private certificate(name: string): Input<string> | undefined {
    const { domain } = this.args;
    if (domain === undefined || "certificateArn" in domain) return domain?.certificateArn;
    return new Certificate(`${name}-certificate`, { domain: domain.name, zoneId: domain.zoneId }, { parent: this }).arn;
  }

  private listener(
    name: string,
    balancer: lb.LoadBalancer,
    targets: lb.TargetGroup,
    certificateArn: Input<string> | undefined,
  ): void {
    const { transform } = this.args;
    const args: lb.ListenerArgs = {
      loadBalancerArn: balancer.arn,
      port: this.port,
      // No redirect from port 80: a key that was sent there is lost already, and should fail where its owner sees it.
      ...(certificateArn === undefined
        ? { protocol: "HTTP" }
        : { protocol: "HTTPS", sslPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06", certificateArn }),
      defaultActions: [{ type: "forward", targetGroupArn: targets.arn }],
    };
    new lb.Listener(name, transformed(args, transform?.listener), { parent: this });
  }

  /** Without a zone of ours the record is the user's to make. */
  private record(name: string, balancer: lb.LoadBalancer): void {
    const { domain } = this.args;
    if (domain === undefined || "certificateArn" in domain) return;
    const aliases = [{ name: balancer.dnsName, zoneId: balancer.zoneId, evaluateTargetHealth: true }];
    new route53.Record(name, { zoneId: domain.zoneId, name: domain.name, type: "A", aliases }, { parent: this });
  }
}
