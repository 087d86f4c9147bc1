/** Tags by which people and bills tell stacks apart, on everything that takes tags. */
import * as pulumi from "@pulumi/pulumi";

/** Types that this program creates and that take no tags. */
const untagged = [
  "aws:acm/certificateValidation:CertificateValidation",
  "aws:cloudwatch/eventTarget:EventTarget",
  "aws:ecr/lifecyclePolicy:LifecyclePolicy",
  "aws:iam/rolePolicy:RolePolicy",
  "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
  "aws:route53/record:Record",
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
  "aws:s3/bucketPolicy:BucketPolicy",
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
  "aws:secretsmanager/secretVersion:SecretVersion",
  "aws:sns/topicPolicy:TopicPolicy",
];

/** Adds `Project` and `Stack` to all that is created after this, and to what the VPC component creates itself. */
export function tagEverything(tags: Record<string, string>): void {
  pulumi.runtime.registerStackTransformation(({ type, props, opts }) => {
    const taggable = (type.startsWith("aws:") && !untagged.includes(type)) || type === "awsx:ec2:Vpc";
    return taggable ? { props: { ...props, tags: { ...tags, ...props.tags } }, opts } : undefined;
  });
}
