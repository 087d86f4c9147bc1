/** The servers: REST, SSE and WebSocket behind the load balancer, any number of them, with no state of their own. */
import { ComponentResource, type ComponentResourceOptions, type Output } from "@pulumi/pulumi";
import { serverPort } from "../environment.js";
import { FargateService, type FargateServiceArgs } from "./fargateService.js";
import type { LoadBalancer } from "./loadBalancer.js";
import type { SecretReference } from "./secretValue.js";

export interface ServerServiceArgs extends FargateServiceArgs {
  loadBalancer: LoadBalancer;
  /** Hashes of the accepted API keys. */
  apiKeyHashes: SecretReference;
}

export class ServerService extends ComponentResource {
  readonly serviceName: Output<string>;
  readonly logGroupName: Output<string>;

  constructor(name: string, args: ServerServiceArgs, opts?: ComponentResourceOptions) {
    super("switchyard:service:ServerService", name, {}, opts);
    const { loadBalancer, timing } = args;
    const base = new FargateService(
      name,
      args,
      {
        command: "server",
        port: serverPort,
        environment: {
          PORT: String(serverPort),
          SSE_HEARTBEAT_MS: String(timing.sseHeartbeatMs),
          HTTP_KEEP_ALIVE_TIMEOUT_MS: String(timing.keepAliveMs),
        },
        secrets: { API_KEY_HASHES: args.apiKeyHashes },
        caller: loadBalancer.securityGroupId,
        egress: [],
        taskStatements: [],
        taskPolicyArns: [],
        service: {
          loadBalancers: [
            { targetGroupArn: loadBalancer.targetGroupArn, containerName: name, containerPort: serverPort },
          ],
          healthCheckGracePeriodSeconds: 60,
          availabilityZoneRebalancing: "ENABLED",
          // `pulumi up` ends when the new servers serve, or fails when they don't.
          waitForSteadyState: true,
        },
        timeouts: timing.timeouts.serverService,
        after: [loadBalancer],
      },
      { parent: this },
    );
    this.serviceName = base.serviceName;
    this.logGroupName = base.logGroupName;
    this.registerOutputs({ serviceName: this.serviceName });
  }
}
