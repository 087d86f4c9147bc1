/** A Redis or Valkey that is there already: nothing is created but the secret that holds its password. */
import { isIPv4 } from "node:net";
import { ComponentResource, type ComponentResourceOptions, type Output, output } from "@pulumi/pulumi";
import type { RedisConnection } from "./redis.js";
import { type SecretReference, SecretValue } from "./secretValue.js";

export interface AdoptedRedisArgs {
  /** Without credentials. @example "rediss://redis.example.com:6379" */
  url: string;
  host: string;
  port: number;
  username: string | undefined;
  password: string | undefined;
  /** Keeps this stack's keys apart from others' in the same Redis. */
  keyPrefix: string;
  recoveryDays: number;
}

export class AdoptedRedis extends ComponentResource implements RedisConnection {
  readonly url: Output<string>;
  readonly username: string | undefined;
  readonly password: SecretReference | undefined;
  readonly cluster = false;
  readonly keyPrefix: string;
  readonly address: { cidr: string; port: number };
  readonly loss = "what your own Redis loses";

  constructor(name: string, args: AdoptedRedisArgs, opts?: ComponentResourceOptions) {
    super("switchyard:cache:AdoptedRedis", name, {}, opts);
    this.url = output(args.url);
    this.username = args.username;
    this.password =
      args.password === undefined
        ? undefined
        : new SecretValue(
            `${name}-password`,
            { description: "Password of the Redis", value: args.password, recoveryDays: args.recoveryDays },
            { parent: this },
          );
    this.keyPrefix = args.keyPrefix;
    // A name may stand for any address, and for another one tomorrow.
    this.address = { cidr: isIPv4(args.host) ? `${args.host}/32` : "0.0.0.0/0", port: args.port };
    this.registerOutputs();
  }
}
