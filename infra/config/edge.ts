/** Who may reach the API, and under which name. Closed by default: nobody, and never unencrypted unawares. */
import { isCidr, prefixLength } from "./cidr.js";
import type { StackValues } from "./values.js";

export interface EdgeConfig {
  scheme: "internet" | "internal";
  /** IPv4 networks; none means nobody. */
  allowedCidrs: string[];
  /** Without one the API speaks plain HTTP. */
  domain: string | undefined;
  /** An issued certificate for the domain; without one the domain's Route 53 zone must be in the account. */
  certificateArn: string | undefined;
}

export function readEdge(values: StackValues, region: string): EdgeConfig {
  const scheme = values.choice("scheme", ["internet", "internal"]);
  const allowedCidrs = values.list(
    "allowedCidrs",
    "it must be an IPv4 network without host bits, such as 203.0.113.7/32 or 10.0.0.0/8",
    (item) => (typeof item === "string" && isCidr(item) ? item : undefined),
    50,
  );
  const plainHttp = values.flag("plainHttp");
  const domain = values.matching(
    "domain",
    /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/,
    "it must be a host name in lower case such as agents.example.com",
  );
  const certificateArn = values.matching(
    "certificateArn",
    new RegExp(`^arn:aws[a-z-]*:acm:${region}:\\d{12}:certificate/[\\w-]+$`),
    `it must be the ARN of an ACM certificate in ${region}`,
  );
  if (certificateArn !== undefined && domain === undefined)
    values.refuse("certificateArn", certificateArn, "it needs domain, the name that the certificate is for");
  if (plainHttp && domain !== undefined)
    values.refuse("plainHttp", true, "it must be false with domain, which brings HTTPS");
  if (!plainHttp && domain === undefined)
    values.refuse("domain", "", "it must be given for HTTPS, or plainHttp must be true to go without");
  const wide = allowedCidrs.find((cidr) => prefixLength(cidr) < 8);
  if (plainHttp && wide !== undefined)
    values.refuse(
      "allowedCidrs",
      wide,
      "with plainHttp it must name who may call, with prefixes of /8 or longer: keys would travel unencrypted",
    );
  return { scheme, allowedCidrs: [...new Set(allowedCidrs)], domain, certificateArn };
}
