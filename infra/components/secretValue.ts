/** One secret in Secrets Manager, with its value. Tasks get a reference to this very version, never the value. */
import * as secretsmanager from "@pulumi/aws/secretsmanager/index.js";
import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  interpolate,
  type Output,
  type Resource,
  secret,
} from "@pulumi/pulumi";
import { type Transform, transformed } from "./transform.js";

export interface SecretValueArgs {
  description: string;
  /** Encrypted in the state, whatever it was before. */
  value: Input<string>;
  /** Days in which a deleted secret can be brought back, 7 to 30; 0 deletes at once. */
  recoveryDays: number;
  /** What must know the value before anybody reads it, such as the database user whose password it is. */
  after?: Resource[];
  transform?: { secret?: Transform<secretsmanager.SecretArgs> };
}

/** What a container definition and its execution role need. */
export interface SecretReference {
  arn: Output<string>;
  /** For `secrets[].valueFrom`. */
  valueFrom: Output<string>;
  /** It was there before this stack. */
  foreign: boolean;
}

/** Cost: $0.40 a month. */
export class SecretValue extends ComponentResource implements SecretReference {
  readonly arn: Output<string>;
  readonly valueFrom: Output<string>;
  readonly foreign = false;

  constructor(name: string, args: SecretValueArgs, opts?: ComponentResourceOptions) {
    super("switchyard:secrets:SecretValue", name, {}, opts);
    const created = new secretsmanager.Secret(
      name,
      transformed({ description: args.description, recoveryWindowInDays: args.recoveryDays }, args.transform?.secret),
      { parent: this },
    );
    const version = new secretsmanager.SecretVersion(
      name,
      { secretId: created.id, secretString: secret(args.value) },
      { parent: this, dependsOn: args.after ?? [] },
    );
    this.arn = created.arn;
    // ECS reads secrets only when a task starts. Naming the version makes a new value a new task definition.
    this.valueFrom = interpolate`${created.arn}:::${version.versionId}`;
    this.registerOutputs({ arn: this.arn });
  }
}
