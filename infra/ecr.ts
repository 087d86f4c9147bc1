/** Repositories in Amazon ECR, as images name them and as policies do. */

/**
 * The ARN of the repository that an image lies in, or undefined for an image elsewhere.
 * @example repositoryArn("123456789012.dkr.ecr.eu-west-1.amazonaws.com/agents@sha256:…")
 */
export function repositoryArn(image: string): string | undefined {
  const match = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[a-z.]+\/([\w./-]+)@/.exec(image);
  const [, account, region = "", name] = match ?? [];
  return match === null ? undefined : `arn:${partitionOf(region)}:ecr:${region}:${account}:repository/${name}`;
}

function partitionOf(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  return region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
}
