/**
 * Valkey: the queue, the streams and the state. TLS, one user with what the app needs and no more, and `noeviction`,
 * because a key that Valkey drops to make room is somebody's run.
 */
import * as ec2 from "@pulumi/aws/ec2/index.js";
import * as elasticache from "@pulumi/aws/elasticache/index.js";
import { ComponentResource, type ComponentResourceOptions, type Input, interpolate, type Output } from "@pulumi/pulumi";
import { RandomId, RandomPassword } from "@pulumi/random";
import type { Timing } from "../timing.js";
import { boundedName } from "./names.js";
import type { RedisConnection } from "./redis.js";
import { type SecretReference, SecretValue } from "./secretValue.js";
import { type Transform, transformed } from "./transform.js";

export interface CacheArgs {
  /** Name of the stack, part of the ids that are unique in an account. */
  stack: string;
  vpcId: Input<string>;
  /** Isolated subnets in two zones. */
  subnetIds: Input<Input<string>[]>;
  /**
   * What a failure may lose. `cache`: one node, everything. `ha`: a replica in another zone, the moments before a
   * failover; twice the cost. `durable`: a log in several zones, nothing acknowledged; speaks the cluster protocol.
   */
  tier: "cache" | "ha" | "durable";
  /** @default "cache.t4g.small" (1.4 GiB) for `cache`, "cache.m7g.large" (6.4 GiB) for the others */
  nodeType: string | undefined;
  /** Raised by one, makes a new password; the one before stays valid, so that running tasks go on. */
  passwordGeneration: number;
  /** Snapshot that the cache begins with; naming another one makes a new cache. */
  restoreFrom: string | undefined;
  /** Daily snapshots are kept, days; 0 takes none. */
  snapshotDays: number;
  /** Pulumi refuses to delete it, and a deletion takes a last snapshot. */
  protect: boolean;
  recoveryDays: number;
  timing: Timing;
  transform?: {
    replicationGroup?: Transform<elasticache.ReplicationGroupArgs>;
    parameterGroup?: Transform<elasticache.ParameterGroupArgs>;
    user?: Transform<elasticache.UserArgs>;
  };
}

const port = 6379;

/** Version, its family of parameters, nodes and loss of each tier. */
const tiers = {
  cache: {
    engineVersion: "8.2",
    family: "valkey8",
    nodeType: "cache.t4g.small",
    topology: { clusterMode: "disabled", numCacheClusters: 1 },
    loss: "everything, since there is one node: runs, threads and streams",
  },
  ha: {
    engineVersion: "8.2",
    family: "valkey8",
    nodeType: "cache.m7g.large",
    topology: { clusterMode: "disabled", numCacheClusters: 2, automaticFailoverEnabled: true, multiAzEnabled: true },
    loss: "the last moments before a failover, which the primary had not yet sent to its replica",
  },
  durable: {
    engineVersion: "9.0",
    family: "valkey9",
    nodeType: "cache.m7g.large",
    topology: {
      clusterMode: "enabled",
      numNodeGroups: 1,
      replicasPerNodeGroup: 1,
      automaticFailoverEnabled: true,
      multiAzEnabled: true,
      durability: "sync",
    },
    loss: "nothing that was acknowledged",
  },
} as const;

/**
 * Cost a month, us-east-1: about $19 for `cache` (one cache.t4g.small), $185 for `ha` and `durable` (two
 * cache.m7g.large); snapshots beyond the free one $0.085 a GB.
 */
export class Cache extends ComponentResource implements RedisConnection {
  readonly url: Output<string>;
  readonly username = "app";
  readonly password: SecretReference;
  readonly cluster: boolean;
  readonly keyPrefix = "sw";
  readonly address: { securityGroupId: Output<string>; port: number };
  readonly loss: string;

  constructor(
    name: string,
    private readonly args: CacheArgs,
    opts?: ComponentResourceOptions,
  ) {
    super("switchyard:cache:Cache", name, {}, opts);
    const securityGroup = this.securityGroup(name);
    const passwords = this.passwords(name);
    // Ids of users are one namespace in an account and region, which stacks of the same name may share.
    const ids = new RandomId(`${name}-ids`, { byteLength: 4 }, { parent: this });
    const app = this.user(name, "app", ids, passwords, accessOf(this.keyPrefix));
    const users = this.userGroup(name, ids, app);
    const group = this.replicationGroup(name, users, this.parameterGroup(name), securityGroup);

    this.cluster = args.tier === "durable";
    const host = this.cluster ? group.configurationEndpointAddress : group.primaryEndpointAddress;
    this.url = interpolate`rediss://${host}:${port}`;
    // The user knows a new password before the secret does, and the secret before any task that reads it.
    this.password = new SecretValue(
      `${name}-password`,
      {
        description: "Password of the app's Valkey user",
        value: passwords[0].result,
        recoveryDays: args.recoveryDays,
        after: [app],
      },
      { parent: this },
    );
    this.address = { securityGroupId: securityGroup.id, port };
    this.loss = tiers[args.tier].loss;
    this.registerOutputs({ url: this.url });
  }

  /** Its clients add themselves; it reaches nobody. */
  private securityGroup(name: string): ec2.SecurityGroup {
    const args = { vpcId: this.args.vpcId, description: "Valkey" };
    return new ec2.SecurityGroup(name, args, { parent: this });
  }

  /** The current one and the one before, which is what makes a rotation harmless. */
  private passwords(name: string): [RandomPassword, RandomPassword] {
    const generation = (number: number) =>
      new RandomPassword(`${name}-password-${number}`, { length: 64, special: false }, { parent: this });
    return [generation(this.args.passwordGeneration), generation(this.args.passwordGeneration - 1)];
  }

  private user(
    name: string,
    userName: string,
    ids: RandomId,
    passwords: RandomPassword[],
    accessString: string,
  ): elasticache.User {
    const args: elasticache.UserArgs = {
      userId: this.ownId(userName, ids),
      userName,
      engine: "valkey",
      accessString,
      passwords: passwords.map((password) => password.result),
    };
    return new elasticache.User(`${name}-${userName}`, transformed(args, this.args.transform?.user), { parent: this });
  }

  /** A group must hold a user named default; ours can do nothing, with a password that nobody knows. */
  private userGroup(name: string, ids: RandomId, app: elasticache.User): elasticache.UserGroup {
    const unknown = new RandomPassword(`${name}-default`, { length: 64, special: false }, { parent: this });
    const nobody = this.user(name, "default", ids, [unknown], "off -@all");
    return new elasticache.UserGroup(
      name,
      {
        userGroupId: this.ownId("users", ids),
        engine: "valkey",
        userIds: [nobody.userId, app.userId],
      },
      { parent: this },
    );
  }

  /** At most the 40 characters that AWS allows. */
  private ownId(part: string, ids: RandomId): Output<string> {
    return interpolate`${boundedName(this.args.stack, part, 31)}-${ids.hex}`;
  }

  private parameterGroup(name: string): elasticache.ParameterGroup {
    const { tier, transform } = this.args;
    const args: elasticache.ParameterGroupArgs = {
      family: tiers[tier].family,
      description: "Switchyard: nothing is evicted",
      parameters: [
        { name: "maxmemory-policy", value: "noeviction" },
        ...(tier === "durable" ? [{ name: "cluster-enabled", value: "yes" }] : []),
      ],
    };
    // A new family is a new group, which must exist before the cache leaves the old one.
    return new elasticache.ParameterGroup(
      `${name}-${tiers[tier].family}`,
      transformed(args, transform?.parameterGroup),
      {
        parent: this,
      },
    );
  }

  private replicationGroup(
    name: string,
    users: elasticache.UserGroup,
    parameters: elasticache.ParameterGroup,
    securityGroup: ec2.SecurityGroup,
  ): elasticache.ReplicationGroup {
    const { tier, timing, protect, restoreFrom } = this.args;
    const subnets = new elasticache.SubnetGroup(name, { subnetIds: this.args.subnetIds }, { parent: this });
    const args: elasticache.ReplicationGroupArgs = {
      description: "Switchyard: queue, streams and state",
      engine: "valkey",
      engineVersion: tiers[tier].engineVersion,
      nodeType: this.args.nodeType ?? tiers[tier].nodeType,
      ...tiers[tier].topology,
      port,
      parameterGroupName: parameters.name,
      subnetGroupName: subnets.name,
      securityGroupIds: [securityGroup.id],
      userGroupIds: [users.userGroupId],
      transitEncryptionEnabled: true,
      transitEncryptionMode: "required",
      atRestEncryptionEnabled: true,
      // A version that AWS raised by itself would differ from ours, and going back to it is a new cache.
      autoMinorVersionUpgrade: false,
      applyImmediately: true,
      snapshotRetentionLimit: this.args.snapshotDays,
      ...(protect ? { finalSnapshotIdentifier: this.finalSnapshotName(name) } : {}),
      ...(restoreFrom === undefined ? {} : { snapshotName: restoreFrom }),
    };
    return new elasticache.ReplicationGroup(name, transformed(args, this.args.transform?.replicationGroup), {
      parent: this,
      protect,
      // The provider would try it in place, which AWS refuses.
      replaceOnChanges: ["clusterMode"],
      customTimeouts: timing.timeouts.cache,
    });
  }

  /** A snapshot outlives its cache, so the next cache of the same stack needs another name for its own. */
  private finalSnapshotName(name: string): Output<string> {
    const { tier, restoreFrom = "" } = this.args;
    const keepers = { tier, restoreFrom };
    const suffix = new RandomId(`${name}-final`, { byteLength: 4, keepers }, { parent: this });
    return interpolate`${boundedName(this.args.stack, "final", 200)}-${suffix.hex}`;
  }
}

/** Keys and channels of the prefix, with the hash tag of a partition and without; everything but administration. */
function accessOf(prefix: string): string {
  return `on ~{${prefix}:* ~${prefix}:* &{${prefix}:* &${prefix}:* +@all -@dangerous +info +role`;
}
