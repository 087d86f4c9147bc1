/**
 * The stack's API key. The servers learn only hashes, of this key and of the one before, so that clients can change from
 * one to the other in their own time; the key itself is an encrypted output of the stack.
 */
import { createHash } from "node:crypto";
import { ComponentResource, type ComponentResourceOptions, interpolate, type Output, secret } from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { type SecretReference, SecretValue, type SecretValueArgs } from "./secretValue.js";

export interface ApiKeyArgs {
  /** Raised by one, makes a new key; the one before stays valid until the next time. */
  generation: number;
  recoveryDays: number;
  transform?: SecretValueArgs["transform"];
}

export class ApiKey extends ComponentResource {
  /** Sent by clients as `x-api-key`. */
  readonly key: Output<string>;
  /** SHA-256 of the accepted keys, in hexadecimal, separated by commas. */
  readonly hashes: SecretReference;

  constructor(name: string, args: ApiKeyArgs, opts?: ComponentResourceOptions) {
    super("switchyard:secrets:ApiKey", name, {}, opts);
    const { generation, ...secretArgs } = args;
    this.key = this.keyOf(name, generation);
    const value = interpolate`${this.key.apply(sha256)},${this.keyOf(name, generation - 1).apply(sha256)}`;
    this.hashes = new SecretValue(
      `${name}-hashes`,
      { description: "Hashes of the accepted API keys", value, ...secretArgs },
      { parent: this },
    );
    this.registerOutputs();
  }

  /** 40 letters and digits are 238 bits: no dictionary helps against the hash. */
  private keyOf(name: string, generation: number): Output<string> {
    const random = new RandomPassword(`${name}-${generation}`, { length: 40, special: false }, { parent: this });
    return secret(interpolate`sy_${random.result}`);
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
