/** What tasks need to know of a Redis, whether the stack made it or found it. */
import type { Output } from "@pulumi/pulumi";
import type { SecretReference } from "./secretValue.js";

export interface RedisConnection {
  /** `redis://` or `rediss://`, without credentials. */
  readonly url: Output<string>;
  readonly username: string | undefined;
  readonly password: SecretReference | undefined;
  /** It speaks the cluster protocol. */
  readonly cluster: boolean;
  /** Every key and channel begins with it. */
  readonly keyPrefix: string;
  /** Where it is, for the security groups of its clients. */
  readonly address: { securityGroupId: Output<string>; port: number } | { cidr: string; port: number };
  /** What a failure may lose, in words for people. */
  readonly loss: string;
}
