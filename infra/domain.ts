/**
 * The domain with what proves that it is ours: a certificate, or the Route 53 zone to make one in. Looked up before the
 * first resource, because a stack that can't have its certificate would stop half made.
 */
import * as route53 from "@pulumi/aws/route53/index.js";
import type { Domain } from "./components/loadBalancer.js";
import type { EdgeConfig } from "./config/edge.js";
import { refusal } from "./refusal.js";

/** @throws RunError when there is neither a certificate nor one zone */
export async function findDomain({ domain, certificateArn }: EdgeConfig): Promise<Domain | undefined> {
  if (domain === undefined) return undefined;
  return certificateArn === undefined
    ? { name: domain, zoneId: await zoneOf(domain) }
    : { name: domain, certificateArn };
}

/** The longest public zone of the account that holds the domain. */
async function zoneOf(domain: string): Promise<string> {
  const labels = domain.split(".");
  for (let first = 0; first < labels.length - 1; first++) {
    const zone = await lookUp(labels.slice(first).join("."));
    if (zone !== undefined) return zone;
  }
  throw refusal(
    `switchyard:domain is ${JSON.stringify(domain)}; this account has no public Route 53 zone for it. ` +
      "Create one, or set switchyard:certificateArn to an issued certificate and make the DNS record yourself",
  );
}

async function lookUp(name: string): Promise<string | undefined> {
  try {
    const zone = await route53.getZone({ name, privateZone: false });
    return zone.zoneId;
  } catch (error) {
    if (error instanceof Error && /no matching .*zone/i.test(error.message)) return undefined;
    if (error instanceof Error && /multiple .*zone/i.test(error.message))
      throw refusal(
        `switchyard:domain lies in ${name}, and this account has several public Route 53 zones of that name. ` +
          "Delete those that nobody asks, or set switchyard:certificateArn and make the DNS record yourself",
      );
    throw error;
  }
}
