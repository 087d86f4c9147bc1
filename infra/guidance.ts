/** What `pulumi up` says when it is done: what to try, who may call, what can be lost, and how to take it all down. */
import { type Input, interpolate, type Output } from "@pulumi/pulumi";
import type { Config } from "./config.js";
import { rulesOf } from "./profiles.js";

/** Outputs of the stack for people; each is a sentence or a command. */
export function guidance(
  { stack, region, profile, edge, network, image }: Config,
  made: { url: Output<string>; hostName: Output<string>; loss: string },
): Record<string, Input<string>> {
  return {
    try: tryIt(made.url, "agents" in image && image.agents === undefined),
    access:
      edge.allowedCidrs.length === 0
        ? "Nobody can connect yet. To let yourself in: pulumi config set --path 'allowedCidrs[0]' " +
          "$(curl -s https://checkip.amazonaws.com)/32 && pulumi up"
        : `Open to ${edge.allowedCidrs.join(", ")}${edge.domain === undefined ? ", unencrypted" : ""}`,
    ...(edge.certificateArn === undefined
      ? {}
      : { dnsRecord: interpolate`Make this record: ${edge.domain} CNAME ${made.hostName}` }),
    ...(network.internet
      ? {}
      : {
          unreachable:
            "Tasks reach ECR, CloudWatch Logs, Secrets Manager and S3, and nothing else: no model provider, " +
            "no package registry, no API outside the VPC and its peers",
        }),
    loss: `A failure of the cache may lose ${made.loss}`,
    logs: `aws logs tail /switchyard/${stack}/servers --follow --region ${region} (or /switchyard/${stack}/workers)`,
    teardown: rulesOf[profile].protect
      ? "pulumi destroy stops at what holds data. To delete everything, snapshots apart: " +
        "pulumi config set profile dev && pulumi up && pulumi destroy"
      : "pulumi destroy deletes everything, data and logs too. A busy worker may hold it for protectMinutes",
  };
}

function tryIt(url: Output<string>, bundled: boolean): Output<string> {
  const [path, body] = bundled
    ? ["runs/wait", '{"assistant_id":"echo","input":{"messages":[{"role":"user","content":"hello"}]}}']
    : ["assistants/search", "{}"];
  return interpolate`curl -s ${url}/${path} -H "x-api-key: $(pulumi stack output apiKey --show-secrets)" -H "content-type: application/json" -d '${body}'`;
}
