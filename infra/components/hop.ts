/**
 * Security groups admit only the next hop, and reach only the next hop. A hop is one fact and two rules: what `from`
 * may send, `to` admits.
 */
import * as vpc from "@pulumi/aws/vpc/index.js";
import type { ComponentResource, Input, Resource } from "@pulumi/pulumi";

export interface Hop {
  /** Security groups. */
  from: Input<string>;
  to: Input<string>;
  port: number;
  /** @example "load balancer to servers" */
  description: string;
}

/** @param parent owns both rules */
export function allowHop(name: string, { from, to, port, description }: Hop, parent: ComponentResource): Resource[] {
  const rule = { ipProtocol: "tcp", fromPort: port, toPort: port, description };
  return [
    new vpc.SecurityGroupEgressRule(
      name,
      { ...rule, securityGroupId: from, referencedSecurityGroupId: to },
      { parent },
    ),
    new vpc.SecurityGroupIngressRule(
      name,
      { ...rule, securityGroupId: to, referencedSecurityGroupId: from },
      { parent },
    ),
  ];
}
