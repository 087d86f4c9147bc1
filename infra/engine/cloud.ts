/**
 * Answers in place of AWS: an id, an ARN and what else the program reads of a new resource, and its look-ups. All of it
 * is made from the resource's name, so that a value tells where it came from and two runs give the same.
 */
import type { Values } from "./wire.js";

export const account = "123456789012";

export interface NewResource {
  type: string;
  name: string;
  inputs: Values;
}

export interface Answer {
  id: string;
  /** Besides the inputs, which every resource has as outputs too. */
  outputs: Values;
}

/** What the cloud holds before the program runs. */
export interface Surroundings {
  region: string;
  /** Names of the account's public Route 53 zones. */
  zones: string[];
}

/** Begins every value that must stay secret, so that a test can find where one went. */
export const secretMark = "made-secret";

/** The suffix that Pulumi gives to a name that it makes itself. */
export const nameSuffix = "-0a1b2c3";

export function create(resource: NewResource, { region }: Surroundings): Answer {
  const { type } = resource;
  const [, module = "", kind = ""] = /^\w[\w-]*:(\w+)(?:\/\w+)?:(\w+)$/.exec(type) ?? [];
  const physical = physicalName(resource);
  const arn = `arn:aws:${module}:${region}:${account}:${lowerFirst(kind)}/${physical}`;
  const id = `${lowerFirst(kind)}-${physical}`;
  return { id, outputs: { arn, name: physical, ...special[type]?.(resource, physical, region) } };
}

/** The name that AWS would see: one that was given, or a beginning of it or the logical name with Pulumi's suffix. */
function physicalName({ name, inputs }: NewResource): string {
  if (typeof inputs.name === "string") return inputs.name;
  return typeof inputs.namePrefix === "string"
    ? inputs.namePrefix.replace(/-$/, "") + nameSuffix
    : `${name}${nameSuffix}`;
}

type Attributes = (resource: NewResource, physical: string, region: string) => Values;

const special: Record<string, Attributes> = {
  "aws:acm/certificate:Certificate": ({ inputs }) => ({
    domainValidationOptions: [
      {
        domainName: inputs.domainName,
        resourceRecordName: `_proof.${inputs.domainName}.`,
        resourceRecordType: "CNAME",
        resourceRecordValue: "_answer.acm-validations.aws.",
      },
    ],
  }),
  "aws:cloudwatch/logGroup:LogGroup": (_, physical, region) => ({
    arn: `arn:aws:logs:${region}:${account}:log-group:${physical}`,
  }),
  "aws:ecr/repository:Repository": (_, physical, region) => ({
    arn: `arn:aws:ecr:${region}:${account}:repository/${physical}`,
    registryId: account,
    repositoryUrl: `${account}.dkr.ecr.${region}.amazonaws.com/${physical}`,
  }),
  "aws:elasticache/replicationGroup:ReplicationGroup": (_, physical, region) => ({
    primaryEndpointAddress: `master.${physical}.cache.${region}.amazonaws.com`,
    configurationEndpointAddress: `clustercfg.${physical}.cache.${region}.amazonaws.com`,
  }),
  "aws:iam/role:Role": (_, physical) => ({ arn: `arn:aws:iam::${account}:role/${physical}` }),
  "aws:lb/loadBalancer:LoadBalancer": (_, physical, region) => ({
    arn: `arn:aws:elasticloadbalancing:${region}:${account}:loadbalancer/app/${physical}/1`,
    dnsName: `${physical}-1234567890.${region}.elb.amazonaws.com`,
    zoneId: "Z35SXDOTRQ7X7K",
  }),
  "aws:route53/record:Record": ({ inputs }) => ({ fqdn: inputs.name }),
  "aws:s3/bucket:Bucket": (_, physical) => ({ arn: `arn:aws:s3:::${physical}` }),
  "aws:secretsmanager/secret:Secret": (_, physical, region) => ({
    arn: `arn:aws:secretsmanager:${region}:${account}:secret:${physical}-AbCdEf`,
  }),
  "aws:secretsmanager/secretVersion:SecretVersion": ({ name }) => ({ versionId: `version-of-${name}` }),
  "aws:sns/topic:Topic": (_, physical, region) => ({ arn: `arn:aws:sns:${region}:${account}:${physical}` }),
  "docker-build:index:Image": ({ name }) => ({ digest: `sha256:${Buffer.from(name).toString("hex").padEnd(64, "0")}` }),
  "random:index/randomId:RandomId": () => ({ hex: "0a1b2c3d" }),
  "random:index/randomPassword:RandomPassword": ({ name }) => ({ result: `${secretMark}-${name}`.padEnd(64, "0") }),
};

/** Answers a look-up. @throws with the provider's own words where there is nothing to find */
export function lookUp(token: string, args: Values, { zones }: Surroundings): Values {
  switch (token) {
    case "aws:index/getCallerIdentity:getCallerIdentity":
      return { accountId: account, arn: `arn:aws:iam::${account}:user/somebody`, id: account, userId: "AIDA" };
    case "aws:route53/getZone:getZone": {
      const name = String(args.name);
      if (zones.filter((zone) => zone === name).length > 1)
        throw new Error(
          "reading Route 53 Hosted Zone: multiple Route 53 Hosted Zones matched; use additional constraints",
        );
      if (!zones.includes(name))
        throw new Error("reading Route 53 Hosted Zone: no matching Route 53 Hosted Zone found");
      return { id: `Z-${name}`, zoneId: `Z-${name}`, name };
    }
    case "aws:ecr/getAuthorizationToken:getAuthorizationToken":
      return { id: "token", userName: "AWS", password: `${secretMark}-registry` };
    case "aws:ec2/getPrefixList:getPrefixList":
      return { id: `pl-${String(args.name)}`, name: args.name, cidrBlocks: [] };
    default:
      throw new Error(`the engine has no answer to ${token}`);
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
