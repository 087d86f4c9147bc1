/**
 * What a scan's findings mean, given the skips that were agreed on. A skip is a decision on one check of one resource of
 * one stack, with its reason; one that has nothing left to skip is a mistake, because nobody would notice what it hides
 * next.
 */
import type { Profile } from "../profiles.js";
import type { Finding, Findings } from "./checkov.js";

export interface Skip {
  check: string;
  stacks: string[];
  /** Addresses, such as `aws_lb.balancer`. */
  resources: string[];
  reason: string;
}

export interface Verdict {
  resources: number;
  passed: number;
  skipped: number;
  /** A sentence for each failure. */
  failures: string[];
}

/** HTTPS, its versions, no public addresses, deletion protection: what prod is never without. */
const neverInProd = ["CKV_AWS_2", "CKV_AWS_20", "CKV_AWS_103", "CKV_AWS_130", "CKV_AWS_150", "CKV_AWS_333"];

/** @param addresses all that was recorded, read or not */
export function judge(
  { stack, profile }: { stack: string; profile: Profile },
  addresses: string[],
  findings: Findings,
  skips: Skip[],
): Verdict {
  const agreed = skips
    .filter(({ stacks }) => stacks.includes(stack))
    .flatMap(({ check, resources, reason }) => resources.map((resource) => ({ check, resource, reason })));
  const isSkipped = (finding: Finding) =>
    agreed.some(({ check, resource }) => check === finding.check && resource === finding.resource);
  const has = (check: string, resource: string) =>
    findings.failed.some((finding) => finding.check === check && finding.resource === resource);

  const failures = [
    ...addresses
      .filter((address) => !findings.read.includes(address))
      .map((address) => `${stack}: ${address} was recorded, and Checkov did not read it`),
    ...findings.failed
      .filter((finding) => !isSkipped(finding))
      .map(({ check, resource, title }) => `${stack}: ${check} ${resource}: ${title}`),
    ...agreed
      .filter(({ check, resource }) => !has(check, resource))
      .map(({ check, resource }) => `${stack}: the skip of ${check} ${resource} has nothing to skip; remove it`),
    ...agreed
      .filter(({ reason }) => reason.trim().length < 20)
      .map(({ check, resource }) => `${stack}: the skip of ${check} ${resource} gives no reason`),
    ...agreed
      .filter(({ check }) => profile === "prod" && neverInProd.includes(check))
      .map(({ check, resource }) => `${stack}: ${check} ${resource} must not be skipped in prod`),
  ];
  return {
    resources: addresses.length,
    passed: findings.passed.length,
    skipped: findings.failed.filter(isSkipped).length,
    failures,
  };
}
