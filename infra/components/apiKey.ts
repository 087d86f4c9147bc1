/** The first API key. The servers learn only its hash; the key itself is an encrypted output of the stack. */
import { createHash } from "node:crypto";
import { ComponentResource, type ComponentResourceOptions, interpolate, type Output, secret } from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { type SecretReference, SecretValue, type SecretValueArgs } from "./secretValue.js";

export interface ApiKeyArgs {
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
    // 40 letters and digits are 238 bits: no dictionary helps against the hash.
    const random = new RandomPassword(name, { length: 40, special: false }, { parent: this });
    this.key = secret(interpolate`sy_${random.result}`);
    this.hashes = new SecretValue(
      `${name}-hashes`,
      { description: "Hashes of the accepted API keys", value: this.key.apply(sha256), ...args },
      { parent: this },
    );
    this.registerOutputs();
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
