/** The blueprint: load balancer, servers, workers and Valkey, in the order in which they need each other. */
import { relative } from "node:path";
import { getCallerIdentityOutput } from "@pulumi/aws/getCallerIdentity.js";
import { AccessLogs } from "./components/accessLogs.js";
import { AdoptedRedis } from "./components/adoptedRedis.js";
import { ApiKey } from "./components/apiKey.js";
import { Cache } from "./components/cache.js";
import { Cluster } from "./components/cluster.js";
import { Image } from "./components/image.js";
import { LoadBalancer } from "./components/loadBalancer.js";
import { Network } from "./components/network.js";
import { Observability } from "./components/observability.js";
import { Secrets } from "./components/secrets.js";
import { ServerService } from "./components/serverService.js";
import { WorkerService } from "./components/workerService.js";
import { readConfig, root } from "./config.js";
import { findDomain } from "./domain.js";
import { guidance } from "./guidance.js";
import { rulesOf } from "./profiles.js";
import { tagEverything } from "./tags.js";
import { timingBudget } from "./timing.js";

const config = readConfig();
const domain = await findDomain(config.edge);
const { stack, region, edge, servers, workers } = config;
const rules = rulesOf[config.profile];
const { logDays, protect, secretRecoveryDays: recoveryDays } = rules;
const timing = timingBudget({ ...rules, protectMinutes: workers.protectMinutes });
const accountId = getCallerIdentityOutput().accountId;
tagEverything({ Project: "switchyard", Stack: stack });

const flowLogDays = rules.flowLogs ? logDays : undefined;
const network = new Network("network", { region, accountId, ...config.network, flowLogDays });
const redis =
  "adopt" in config.redis
    ? new AdoptedRedis("redis", { ...config.redis.adopt, keyPrefix: stack, recoveryDays })
    : new Cache("cache", {
        ...config.redis.create,
        stack,
        vpcId: network.vpcId,
        subnetIds: network.isolatedSubnetIds,
        snapshotDays: rules.snapshotDays,
        protect,
        recoveryDays,
        timing,
      });
const image = new Image(
  "agents",
  "ready" in config.image
    ? config.image
    : {
        ...config.image,
        stack,
        root: relative(process.cwd(), root) || ".",
        variables: [...Object.keys(config.secrets), ...Object.keys(config.environment)],
        forceDelete: !protect,
      },
);
const apiKey = new ApiKey("api-key", { generation: config.apiKeyGeneration, recoveryDays });
const secrets = new Secrets("secrets", { sources: config.secrets, recoveryDays });
const cluster = new Cluster("cluster", { logDays });
const loadBalancer = new LoadBalancer("balancer", {
  network,
  scheme: edge.scheme,
  allowedCidrs: edge.allowedCidrs,
  domain,
  timing,
  accessLogs: new AccessLogs("access-logs", { accountId, days: logDays, forceDestroy: !protect }),
  deletionProtection: protect,
});

const both = {
  stack,
  region,
  accountId,
  network,
  cluster,
  image,
  redis,
  environment: config.environment,
  secrets: secrets.references,
  timing,
  logDays,
};
const serverService = new ServerService("servers", { ...both, ...servers, loadBalancer, apiKeyHashes: apiKey.hashes });
const workerService = new WorkerService("workers", { ...both, ...workers });
const observability = new Observability("observability", { cluster });

export default {
  url: loadBalancer.url,
  apiKey: apiKey.key,
  ...guidance(config, { loadBalancer, redis, serverService, workerService }),
  vpcId: network.vpcId,
  failedDeployments: observability.topicArn,
  cluster: cluster.name,
  serverService: serverService.serviceName,
  workerService: workerService.serviceName,
};
