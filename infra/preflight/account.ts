/** What the AWS account must have: a login, the right one, a region, and what AWS makes once for each service. */

import { isObject } from "../config/values.js";
import type { Config } from "../config.js";
import { type Answer, type Ask, parsed } from "./command.js";
import type { Check, Outcome } from "./outcome.js";

/** As Pulumi.prod.yaml has it, until its owner puts in their own. */
const PLACEHOLDER_ACCOUNT = "000000000000";
const PLACEHOLDER_DOMAIN = /(^|\.)example\.(com|net|org)$/;

/** ECS makes its tasks fail on the first deploy of an account where one is only being created. */
const SERVICE_ROLES = {
  AWSServiceRoleForECS: "ecs.amazonaws.com",
  AWSServiceRoleForElasticLoadBalancing: "elasticloadbalancing.amazonaws.com",
  AWSServiceRoleForElastiCache: "elasticache.amazonaws.com",
};

/** @param values of the stack, `aws:allowedAccountIds` and `aws:profile` among them */
export function accountChecks(config: Config, values: Record<string, string>, ask: Ask): Check[] {
  const profile = values["aws:profile"];
  const aws = (...args: string[]) =>
    ask(
      "aws",
      [...args, "--region", config.region, "--output", "json"],
      profile ? { environment: { AWS_PROFILE: profile } } : {},
    );
  const identity = aws("sts", "get-caller-identity");
  return [
    { name: "credentials", needsLogin: false, run: async () => credentials(await identity, profile) },
    {
      name: "account",
      needsLogin: false,
      run: async () => account(await identity, values["aws:allowedAccountIds"] ?? "[]", config.stack),
    },
    {
      name: "region",
      needsLogin: true,
      run: async () => region(config, await aws("ec2", "describe-availability-zones")),
    },
    { name: "service roles", needsLogin: true, run: () => serviceRoles(config, aws) },
    { name: "domain", needsLogin: asksForDomain(config), run: () => domain(config, aws) },
  ].map(({ name, run, needsLogin }) => ({
    name,
    run: async () => (needsLogin && (await identity).code !== 0 ? unknown : await run()),
  }));
}

type Aws = (...args: string[]) => Promise<Answer>;

const notInstalled: Outcome = {
  problem: "the command aws is not there",
  mend: "install the AWS CLI, version 2: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
  missing: true,
};

/** One login that is missing is one failure, told once. */
const unknown: Outcome = { problem: "unknown without credentials", mend: "as for credentials" };

function credentials(identity: Answer, profile: string | undefined): Outcome {
  if (identity.code === undefined) return notInstalled;
  if (identity.code === 0) return { found: String(field(parsed(identity), "Arn")) };
  const problem = `AWS knows no login: ${identity.complaint}`;
  // Without a name it is the profile of this shell, which the question has used too.
  if (/\bsso\b|expired/i.test(identity.complaint))
    return { problem, mend: `aws sso login${profile === undefined ? "" : ` --profile ${profile}`}` };
  return { problem, mend: "aws configure sso, then export AWS_PROFILE=…" };
}

function account(identity: Answer, allowed: string, stack: string): Outcome {
  const ids: unknown = JSON.parse(allowed);
  const allowedIds = Array.isArray(ids) ? ids.map(String) : [];
  const id = identity.code === 0 ? String(field(parsed(identity), "Account")) : undefined;
  const set = `pulumi config set --stack ${stack} --path 'aws:allowedAccountIds[0]' ${id ?? "YOUR_ACCOUNT"}`;
  if (allowedIds.includes(PLACEHOLDER_ACCOUNT))
    return { problem: `aws:allowedAccountIds is still the placeholder ${PLACEHOLDER_ACCOUNT}`, mend: set };
  if (id === undefined) return unknown;
  if (allowedIds.length === 0) return { found: `${id} (the stack allows any: ${set})` };
  if (allowedIds.includes(id)) return { found: `${id}, as the stack wants` };
  return {
    problem: `this login is for ${id}, the stack is for ${allowedIds.join(", ")}`,
    mend: "export AWS_PROFILE of the right account",
  };
}

function region({ region: name, stack }: Config, zones: Answer): Outcome {
  const another = `pulumi config set --stack ${stack} aws:region …`;
  if (zones.code === undefined) return notInstalled;
  if (/AccessDenied|UnauthorizedOperation/.test(zones.complaint))
    return {
      problem: `can't be seen: ${zones.complaint}`,
      mend: "use a login that may call ec2:DescribeAvailabilityZones",
    };
  if (/OptInRequired|AuthFailure/.test(zones.complaint))
    return {
      problem: `${name} is not enabled in this account: ${zones.complaint}`,
      mend: `aws account enable-region --region-name ${name}, or ${another}`,
    };
  if (zones.code !== 0) return { problem: `${name} does not answer: ${zones.complaint}`, mend: another };
  const list = field(parsed(zones), "AvailabilityZones");
  const count = Array.isArray(list) ? list.filter((zone) => field(zone, "State") === "available").length : 0;
  return count >= 2
    ? { found: `${name}, ${count} availability zones` }
    : { problem: `${name} has ${count} availability zones, two are needed`, mend: another };
}

async function serviceRoles({ redis }: Config, aws: Aws): Promise<Outcome> {
  const needed = Object.entries(SERVICE_ROLES).filter(([name]) => "create" in redis || !name.endsWith("ElastiCache"));
  const answers = await Promise.all(
    needed.map(async ([name, service]) => ({ service, answer: await aws("iam", "get-role", "--role-name", name) })),
  );
  if (answers.some(({ answer }) => answer.code === undefined)) return notInstalled;
  const missing = answers.filter(({ answer }) => /NoSuchEntity/.test(answer.complaint));
  if (missing.length > 0)
    return {
      problem: `the account has no service-linked role for ${missing.map(({ service }) => service).join(", ")}`,
      mend: missing
        .map(({ service }) => `aws iam create-service-linked-role --aws-service-name ${service}`)
        .join(" && "),
    };
  const unseen = answers.find(({ answer }) => answer.code !== 0);
  return unseen
    ? { problem: `can't be seen: ${unseen.answer.complaint}`, mend: "use a login that may call iam:GetRole" }
    : { found: needed.map(([name]) => name).join(", ") };
}

/** Its absence and its placeholder are seen without AWS. */
function asksForDomain({ edge }: Config): boolean {
  return edge.domain !== undefined && !PLACEHOLDER_DOMAIN.test(edge.domain);
}

async function domain({ edge, stack, region: place }: Config, aws: Aws): Promise<Outcome> {
  if (edge.domain === undefined) return { found: "none: plain HTTP, for trials" };
  if (PLACEHOLDER_DOMAIN.test(edge.domain))
    return {
      problem: `${edge.domain} is a placeholder`,
      mend: `pulumi config set --stack ${stack} domain agents.YOUR-DOMAIN`,
    };
  return edge.certificateArn === undefined
    ? await zoneOf(edge.domain, aws)
    : await certificate(edge.certificateArn, place, aws);
}

async function zoneOf(name: string, aws: Aws): Promise<Outcome> {
  const answer = await aws("route53", "list-hosted-zones");
  if (answer.code === undefined) return notInstalled;
  if (answer.code !== 0)
    return {
      problem: `Route 53 does not answer: ${answer.complaint}`,
      mend: "use a login that may call route53:ListHostedZones",
    };
  const zones = field(parsed(answer), "HostedZones");
  const names = (Array.isArray(zones) ? zones : [])
    .filter((zone) => field(field(zone, "Config"), "PrivateZone") !== true)
    .map((zone) => String(field(zone, "Name")).replace(/\.$/, ""));
  const zone = names.find((each) => name === each || name.endsWith(`.${each}`));
  return zone === undefined
    ? {
        problem: `the account has no public Route 53 zone for ${name}`,
        mend: "make the zone, or set certificateArn to an issued certificate and make the DNS record yourself",
      }
    : { found: `${name} in the zone ${zone}` };
}

async function certificate(arn: string, place: string, aws: Aws): Promise<Outcome> {
  const answer = await aws("acm", "describe-certificate", "--certificate-arn", arn);
  if (answer.code === undefined) return notInstalled;
  const status = answer.code === 0 ? String(field(field(parsed(answer), "Certificate"), "Status")) : answer.complaint;
  return status === "ISSUED"
    ? { found: "the certificate is issued" }
    : { problem: `the certificate is not usable: ${status}`, mend: `have it issued by ACM in ${place}` };
}

function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}
