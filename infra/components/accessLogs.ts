/** The bucket for the load balancer's access logs: only the load balancer writes, nobody reads without TLS. */
import * as s3 from "@pulumi/aws/s3/index.js";
import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  interpolate,
  jsonStringify,
  type Output,
  type Resource,
} from "@pulumi/pulumi";
import { type Transform, transformed } from "./transform.js";

export interface AccessLogsArgs {
  accountId: Input<string>;
  /** Log files are deleted after so many days. $0.023 a GB and month. */
  days: number;
  /** `pulumi destroy` deletes the logs too; otherwise it stops at a bucket that isn't empty. */
  forceDestroy: boolean;
  transform?: { bucket?: Transform<s3.BucketArgs> };
}

export class AccessLogs extends ComponentResource {
  readonly bucket: Output<string>;
  /** The load balancer checks that it may write, so it waits for this. */
  readonly policy: Resource;

  constructor(name: string, args: AccessLogsArgs, opts?: ComponentResourceOptions) {
    super("switchyard:loadBalancer:AccessLogs", name, {}, opts);
    const bucket = new s3.Bucket(name, transformed({ forceDestroy: args.forceDestroy }, args.transform?.bucket), {
      parent: this,
    });
    const block = this.close(name, bucket);
    this.encrypt(name, bucket);
    this.expire(name, bucket, args.days);
    // S3 takes one change of a bucket's access at a time.
    this.policy = new s3.BucketPolicy(
      name,
      { bucket: bucket.id, policy: policyOf(bucket.arn, args.accountId) },
      { parent: this, dependsOn: block },
    );
    this.bucket = bucket.id;
    this.registerOutputs({ bucket: this.bucket });
  }

  private close(name: string, bucket: s3.Bucket): s3.BucketPublicAccessBlock {
    return new s3.BucketPublicAccessBlock(
      name,
      {
        bucket: bucket.id,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      { parent: this },
    );
  }

  /** With S3's own keys: a load balancer can't write to a bucket with any other. */
  private encrypt(name: string, bucket: s3.Bucket): void {
    const rules = [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }];
    new s3.BucketServerSideEncryptionConfiguration(name, { bucket: bucket.id, rules }, { parent: this });
  }

  private expire(name: string, bucket: s3.Bucket, days: number): void {
    new s3.BucketLifecycleConfiguration(
      name,
      {
        bucket: bucket.id,
        rules: [
          {
            id: "expire",
            status: "Enabled",
            filter: { prefix: "" },
            expiration: { days },
            abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
          },
        ],
      },
      { parent: this },
    );
  }
}

function policyOf(bucketArn: Output<string>, accountId: Input<string>): Output<string> {
  return jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "logdelivery.elasticloadbalancing.amazonaws.com" },
        Action: "s3:PutObject",
        Resource: interpolate`${bucketArn}/AWSLogs/${accountId}/*`,
      },
      {
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [bucketArn, interpolate`${bucketArn}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  });
}
