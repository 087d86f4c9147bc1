/**
 * Says when a deployment failed, which otherwise only the one who looks sees: workers are not waited for, and a rollback
 * leaves everything running.
 */
import * as cloudwatch from "@pulumi/aws/cloudwatch/index.js";
import * as sns from "@pulumi/aws/sns/index.js";
import {
  ComponentResource,
  type ComponentResourceOptions,
  interpolate,
  jsonStringify,
  type Output,
} from "@pulumi/pulumi";
import type { Cluster } from "./cluster.js";
import { type Transform, transformed } from "./transform.js";

export interface ObservabilityArgs {
  cluster: Cluster;
  transform?: { topic?: Transform<sns.TopicArgs> };
}

export class Observability extends ComponentResource {
  /** Subscribe to it to be told. */
  readonly topicArn: Output<string>;

  constructor(name: string, { cluster, transform }: ObservabilityArgs, opts?: ComponentResourceOptions) {
    super("switchyard:observability:Observability", name, {}, opts);
    const topic = new sns.Topic(name, transformed({}, transform?.topic), { parent: this });
    const rule = this.failedDeployments(name, cluster);
    new sns.TopicPolicy(
      name,
      { arn: topic.arn, policy: publishOnly("events.amazonaws.com", topic.arn, rule.arn) },
      { parent: this },
    );
    new cloudwatch.EventTarget(name, { rule: rule.name, arn: topic.arn }, { parent: this });
    this.topicArn = topic.arn;
    this.registerOutputs({ topicArn: this.topicArn });
  }

  private failedDeployments(name: string, cluster: Cluster): cloudwatch.EventRule {
    const services = interpolate`${cluster.arn.apply((arn) => arn.replace(":cluster/", ":service/"))}/`;
    const eventPattern = jsonStringify({
      source: ["aws.ecs"],
      "detail-type": ["ECS Deployment State Change"],
      detail: { eventName: ["SERVICE_DEPLOYMENT_FAILED"] },
      resources: [{ prefix: services }],
    });
    return new cloudwatch.EventRule(name, { description: "A deployment failed", eventPattern }, { parent: this });
  }
}

function publishOnly(service: string, topicArn: Output<string>, sourceArn: Output<string>): Output<string> {
  return jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: service },
        Action: "sns:Publish",
        Resource: topicArn,
        Condition: { ArnEquals: { "aws:SourceArn": sourceArn } },
      },
    ],
  });
}
