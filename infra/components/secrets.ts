/** The agents' secrets: values of the stack go into Secrets Manager, and secrets that are there already are adopted. */
import { ComponentResource, type ComponentResourceOptions, output } from "@pulumi/pulumi";
import { type SecretReference, SecretValue, type SecretValueArgs } from "./secretValue.js";

export interface SecretsArgs {
  /**
   * Names of the environment. An ARN may end in `:json-key:version-stage:version-id`, as ECS takes it.
   * @example { OPENAI_API_KEY: { arn: "arn:aws:secretsmanager:us-east-1:123456789012:secret:openai-AbCdEf:key::" } }
   */
  sources: Record<string, { arn: string } | { value: string }>;
  recoveryDays: number;
  transform?: SecretValueArgs["transform"];
}

export class Secrets extends ComponentResource {
  readonly references: Record<string, SecretReference> = {};

  constructor(name: string, { sources, recoveryDays, transform }: SecretsArgs, opts?: ComponentResourceOptions) {
    super("switchyard:secrets:Secrets", name, {}, opts);
    for (const [variable, source] of Object.entries(sources))
      this.references[variable] =
        "arn" in source
          ? { arn: output(secretArn(source.arn)), valueFrom: output(source.arn), foreign: true }
          : new SecretValue(
              `${name}-${variable}`,
              {
                description: `${variable} of the agents`,
                value: source.value,
                recoveryDays,
                ...(transform && { transform }),
              },
              { parent: this },
            );
    this.registerOutputs();
  }
}

/** The secret's own ARN, without the key and version that a reference may add. */
function secretArn(reference: string): string {
  return reference.split(":").slice(0, 7).join(":");
}
