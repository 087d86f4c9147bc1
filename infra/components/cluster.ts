/** The ECS cluster. Container Insights writes into a log group of ours, so that it has a retention and goes with us. */
import * as cloudwatch from "@pulumi/aws/cloudwatch/index.js";
import * as ecs from "@pulumi/aws/ecs/index.js";
import { ComponentResource, type ComponentResourceOptions, interpolate, type Output } from "@pulumi/pulumi";
import { type Transform, transformed } from "./transform.js";

export interface ClusterArgs {
  logDays: number;
  transform?: { cluster?: Transform<ecs.ClusterArgs> };
}

export class Cluster extends ComponentResource {
  readonly arn: Output<string>;
  readonly name: Output<string>;

  constructor(name: string, args: ClusterArgs, opts?: ComponentResourceOptions) {
    super("switchyard:cluster:Cluster", name, {}, opts);
    const cluster = new ecs.Cluster(
      name,
      transformed({ settings: [{ name: "containerInsights", value: "enabled" }] }, args.transform?.cluster),
      { parent: this },
    );
    new cloudwatch.LogGroup(
      `${name}-insights`,
      {
        name: interpolate`/aws/ecs/containerinsights/${cluster.name}/performance`,
        retentionInDays: args.logDays,
      },
      { parent: this },
    );
    this.arn = cluster.arn;
    this.name = cluster.name;
    this.registerOutputs({ arn: this.arn });
  }
}
