/** The workers: they fetch runs from Redis, so nothing reaches them, and a busy one may ask ECS to let it finish. */
import { ComponentResource, type ComponentResourceOptions, interpolate, type Output } from "@pulumi/pulumi";
import { healthPort } from "../environment.js";
import { FargateService, type FargateServiceArgs } from "./fargateService.js";

export interface WorkerServiceArgs extends FargateServiceArgs {
  /** Runs that one worker has in hand at once. */
  runs: number;
  /** IAM policies for what the agents do on AWS. @example ["arn:aws:iam::123456789012:policy/read-documents"] */
  policyArns: string[];
  /** What agents may reach besides port 443. @example [{ cidr: "10.1.0.0/16", port: 5432 }] */
  egress: { cidr: string; port: number }[];
}

export class WorkerService extends ComponentResource {
  readonly serviceName: Output<string>;
  readonly logGroupName: Output<string>;

  constructor(name: string, args: WorkerServiceArgs, opts?: ComponentResourceOptions) {
    super("switchyard:service:WorkerService", name, {}, opts);
    const { timing, cluster } = args;
    const tasks = interpolate`${cluster.arn.apply((arn) => arn.replace(":cluster/", ":task/"))}/*`;
    const base = new FargateService(
      name,
      args,
      {
        command: "worker",
        port: healthPort,
        environment: {
          HEALTH_PORT: String(healthPort),
          RUNS_PER_WORKER: String(args.runs),
          PROTECT_MINUTES: String(timing.protectMinutes),
        },
        secrets: {},
        caller: undefined,
        egress: args.egress,
        taskStatements: [{ actions: ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], resources: [tasks] }],
        taskPolicyArns: args.policyArns,
        service: {
          // Moving a worker to another zone would only interrupt its runs.
          availabilityZoneRebalancing: "DISABLED",
          // A protected worker may hold a deploy open for as long as it is protected.
          waitForSteadyState: false,
        },
        timeouts: timing.timeouts.workerService,
        after: [],
      },
      { parent: this },
    );
    this.serviceName = base.serviceName;
    this.logGroupName = base.logGroupName;
    this.registerOutputs({ serviceName: this.serviceName });
  }
}
