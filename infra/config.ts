/**
 * The configuration of a stack, parsed once. Whatever is wrong stops the program before its first resource, with the
 * key, the value and what is allowed, because AWS would say so only minutes later, or not at all. `Pulumi.yaml` is the
 * only place of defaults and descriptions; here and in `config/` is what values may be and which exclude each other.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { type ImageSource, readEnvironment, readImage, readSecrets, type SecretSource } from "./config/agents.js";
import { isCidr, isPrivate, prefixLength } from "./config/cidr.js";
import { type EdgeConfig, readEdge } from "./config/edge.js";
import { type RedisConfig, readRedis } from "./config/redis.js";
import { isObject, StackValues } from "./config/values.js";
import { type FargateSize, fargateCpus, fargateMemories, fargateSize } from "./fargateSizes.js";
import { type Profile, profiles } from "./profiles.js";
import { refusal } from "./refusal.js";

/** Name of the project and namespace of its keys. */
const project = "switchyard";
/** The folder of Pulumi.yaml. */
export const root = fileURLToPath(new URL("..", import.meta.url));

export type Nat = "none" | "single" | "perAz";

export interface Egress {
  cidr: string;
  port: number;
}

export interface Config {
  stack: string;
  region: string;
  profile: Profile;
  servers: { count: number; size: FargateSize };
  workers: {
    count: number;
    size: FargateSize;
    runs: number;
    protectMinutes: number;
    policyArns: string[];
    egress: Egress[];
  };
  redis: RedisConfig;
  network: { nat: Nat; internet: boolean; cidr: string };
  edge: EdgeConfig;
  apiKeyGeneration: number;
  image: ImageSource;
  /** Environment of the agents that must stay secret. */
  secrets: Record<string, SecretSource>;
  /** Plain environment of the agents. */
  environment: Record<string, string>;
}

/** Reads the configuration that Pulumi hands to the program. @throws RunError with every problem, a line each */
export function readConfig(): Config {
  // Pulumi tells a program which keys are encrypted only by this variable.
  const secretKeys: unknown = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]");
  const isSecret = (key: string) => Array.isArray(secretKeys) && secretKeys.includes(key);
  return parseConfig(pulumi.getStack(), pulumi.runtime.allConfig(), isSecret);
}

/**
 * @param all `namespace:key` to text, with the defaults of Pulumi.yaml
 * @param isSecret whether a full key is encrypted
 * @throws RunError with every problem, a line each
 */
export function parseConfig(stack: string, all: Record<string, string>, isSecret: (key: string) => boolean): Config {
  const values = new StackValues(project, all, isSecret);
  refuseUnknownKeys(values, all);
  const region = readRegion(values, all);
  const network = readNetwork(values);
  const secrets = readSecrets(values);
  const config: Config = {
    stack,
    region,
    profile: values.choice("profile", profiles),
    servers: { count: values.count("servers", 1, 200), size: readSize(values, "serverCpu", "serverMemory") },
    workers: {
      count: values.count("workers", 1, 1000),
      size: readSize(values, "workerCpu", "workerMemory"),
      runs: values.count("runsPerWorker", 1, 1000),
      protectMinutes: values.count("protectMinutes", 1, 2880),
      policyArns: readPolicyArns(values),
      egress: readEgress(values, network.internet),
    },
    redis: readRedis(values, stack),
    network,
    edge: readEdge(values, region),
    apiKeyGeneration: values.count("apiKeyGeneration", 1, 1_000_000),
    image: readImage(values, root, network.internet),
    secrets,
    environment: readEnvironment(values, secrets),
  };
  if (values.problems.length > 0)
    throw refusal(`The configuration of stack ${stack} can't be used:\n${values.problems.join("\n")}`);
  return config;
}

/** The keys that Pulumi.yaml declares. */
function declaredKeys(): string[] {
  const file: unknown = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8"));
  return isObject(file) && isObject(file.config) ? Object.keys(file.config) : [];
}

function refuseUnknownKeys(values: StackValues, all: Record<string, string>): void {
  const declared = declaredKeys();
  for (const full of Object.keys(all)) {
    const [namespace, key = ""] = full.split(":");
    if (namespace === project && !declared.includes(key))
      values.problem(`${full} is no key of this project; the keys are ${declared.join(", ")}`);
  }
}

function readRegion(values: StackValues, all: Record<string, string>): string {
  const region = all["aws:region"] ?? "";
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(region))
    values.problem(
      `aws:region is ${JSON.stringify(region)}; it must be an AWS region: pulumi config set aws:region us-east-1`,
    );
  // Their ARNs, names of services and certificates differ, and none of it was tried there.
  if (/^(cn|us-gov|us-iso[a-z]*|eu-iso[a-z]*|eusc)-/.test(region))
    values.problem(`aws:region is ${JSON.stringify(region)}; only commercial regions of AWS are supported`);
  return region;
}

function readSize(values: StackValues, cpuKey: string, memoryKey: string): FargateSize {
  const cpu = values.text(cpuKey) ?? "";
  const memory = values.text(memoryKey) ?? "";
  // In digits only: 0x200 would be a number too.
  const number = (text: string) => (/^\d+$/.test(text) ? Number(text) : Number.NaN);
  const size = fargateSize(number(cpu), number(memory));
  if (size !== undefined) return size;
  const memories = fargateMemories(number(cpu));
  if (memories.length === 0) values.refuse(cpuKey, cpu, `it must be one of ${fargateCpus.join(", ")}`);
  else values.refuse(memoryKey, memory, `with ${cpuKey} ${cpu} it must be one of ${memories.join(", ")}`);
  return { cpu: 256, memory: 512 };
}

function readNetwork(values: StackValues): Config["network"] {
  const nat = values.choice("nat", ["none", "single", "perAz"]);
  const internet = values.flag("internet");
  if (!internet && nat !== "none")
    values.refuse("nat", nat, `with ${project}:internet false it must be none: a NAT gateway is a way to the internet`);
  const cidr = values.text("vpcCidr") ?? "";
  if (!isCidr(cidr) || !isPrivate(cidr) || prefixLength(cidr) < 16 || prefixLength(cidr) > 20)
    values.refuse("vpcCidr", cidr, "it must be a private IPv4 network of /16 to /20, such as 10.0.0.0/16");
  return { nat, internet, cidr };
}

function readPolicyArns(values: StackValues): string[] {
  const arn = /^arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/;
  const arns = values.list(
    "workerPolicyArns",
    "it must be the ARN of an IAM policy",
    (item) => (typeof item === "string" && arn.test(item) ? item : undefined),
    10,
  );
  return [...new Set(arns)];
}

function readEgress(values: StackValues, internet: boolean): Egress[] {
  const egress = values.list(
    "workerEgress",
    "it must be {cidr, port} such as {cidr: 10.1.0.0/16, port: 5432}",
    asEgress,
    50,
  );
  const outside = egress.find(({ cidr }) => !isPrivate(cidr));
  if (!internet && outside !== undefined)
    values.refuse("workerEgress", outside.cidr, `with ${project}:internet false it must be a private network`);
  return egress;
}

function asEgress(item: unknown): Egress | undefined {
  if (!isObject(item)) return undefined;
  const { cidr, port, ...others } = item;
  if (typeof cidr !== "string" || !isCidr(cidr) || Object.keys(others).length > 0) return undefined;
  return typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= 65535 ? { cidr, port } : undefined;
}
