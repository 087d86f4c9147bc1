/** IAM documents, written here and not looked up, so that a preview knows them and a reader sees them. */
import { type Input, jsonStringify, type Output } from "@pulumi/pulumi";

export interface Statement {
  actions: string[];
  resources: Input<string>[];
  conditions?: Record<string, Record<string, Input<Input<string>[] | string>>>;
}

/** What a role may do. */
export function policyDocument(statements: Statement[]): Output<string> {
  return jsonStringify({
    Version: "2012-10-17",
    Statement: statements
      .filter(({ resources }) => resources.length > 0)
      .map(({ actions, resources, conditions }) => ({
        Effect: "Allow",
        Action: actions,
        Resource: resources,
        ...(conditions === undefined ? {} : { Condition: conditions }),
      })),
  });
}

/**
 * Who may take a role: one service of AWS, and only on behalf of this account; otherwise another customer could talk
 * the service into it.
 */
export function trust(service: string, accountId: Input<string>): Output<string> {
  return jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: service },
        Action: "sts:AssumeRole",
        Condition: { StringEquals: { "aws:SourceAccount": accountId } },
      },
    ],
  });
}
