/** What `pulumi up` says when it is done: what to try, who may call, what can be lost, and how to take it all down. */
import { type Input, interpolate, type Output } from "@pulumi/pulumi";
import type { LoadBalancer } from "./components/loadBalancer.js";
import type { RedisConnection } from "./components/redis.js";
import type { ServerService } from "./components/serverService.js";
import type { WorkerService } from "./components/workerService.js";
import type { Config } from "./config.js";
import { rulesOf } from "./profiles.js";

export interface Made {
  loadBalancer: LoadBalancer;
  redis: RedisConnection;
  serverService: ServerService;
  workerService: WorkerService;
}

/** Outputs of the stack for people; each is a sentence or a command. */
export function guidance(
  { region, profile, edge, network, image }: Config,
  { loadBalancer, redis, serverService, workerService }: Made,
): Record<string, Input<string>> {
  return {
    try: tryIt(loadBalancer.url, "agents" in image && image.agents === undefined),
    access:
      edge.allowedCidrs.length === 0
        ? `Nobody can connect yet. ${letIn(edge.scheme, network.cidr)} && pulumi up`
        : `Open to ${edge.allowedCidrs.join(", ")}${edge.domain === undefined ? ", unencrypted" : ""}`,
    ...(edge.certificateArn === undefined
      ? {}
      : {
          dnsRecord: interpolate`Make this record: ${edge.domain} CNAME ${loadBalancer.hostName} (an ALIAS or ANAME where the domain is the top of its zone, which can't hold a CNAME)`,
        }),
    ...(network.internet
      ? {}
      : {
          unreachable:
            "Tasks reach ECR, CloudWatch Logs, Secrets Manager and S3, and nothing else: no model provider, " +
            "no package registry, no API outside the VPC and its peers",
        }),
    loss: `A failure of the cache may lose ${redis.loss}`,
    logs: interpolate`aws logs tail ${serverService.logGroupName} --follow --region ${region} (or ${workerService.logGroupName})`,
    teardown: rulesOf[profile].protect
      ? "pulumi destroy stops at what holds data. To delete everything, snapshots apart: " +
        "pulumi config set profile dev && pulumi up && pulumi destroy"
      : "pulumi destroy deletes everything, data and logs too. A busy worker may hold it for protectMinutes",
  };
}

/** Behind an internal load balancer the caller's address on the internet says nothing. */
function letIn(scheme: Config["edge"]["scheme"], vpcCidr: string): string {
  const set = "pulumi config set --path 'allowedCidrs[0]'";
  return scheme === "internal"
    ? `To let the VPC in, or a network that is peered with it: ${set} ${vpcCidr}`
    : `To let yourself in: ${set} $(curl -s https://checkip.amazonaws.com)/32`;
}

function tryIt(url: Output<string>, bundled: boolean): Output<string> {
  const [path, body] = bundled
    ? ["runs/wait", '{"assistant_id":"echo","input":{"messages":[{"role":"user","content":"hello"}]}}']
    : ["assistants/search", "{}"];
  return interpolate`curl -s ${url}/${path} -H "x-api-key: $(pulumi stack output apiKey --show-secrets)" -H "content-type: application/json" -d '${body}'`;
}
