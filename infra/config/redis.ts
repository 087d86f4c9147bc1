/** A Valkey to create, or one that is there already. */
import type { StackValues } from "./values.js";

export type RedisConfig = { create: NewCache } | { adopt: AdoptedRedis };

/** What a failure may lose: `cache` everything, `ha` the moments before a failover, `durable` nothing acknowledged. */
export type CacheTier = "cache" | "ha" | "durable";

export interface NewCache {
  tier: CacheTier;
  nodeType: string | undefined;
  passwordGeneration: number;
  restoreFrom: string | undefined;
}

export interface AdoptedRedis {
  /** Without credentials. */
  url: string;
  username: string | undefined;
  password: string | undefined;
  host: string;
  port: number;
}

export function readRedis(values: StackValues, stack: string): RedisConfig {
  const tier = values.choice("cacheTier", ["cache", "ha", "durable"]);
  const nodeType = values.matching(
    "cacheNodeType",
    /^cache\.[a-z0-9]+\.[a-z0-9]+$/,
    "it must be a node type such as cache.m7g.large",
  );
  if (tier === "durable" && nodeType !== undefined && !/^cache\.(r[678]g|m[67]g|c7gn)\./.test(nodeType))
    values.refuse("cacheNodeType", nodeType, "the durable tier needs an r6g, r7g, r8g, m6g, m7g or c7gn node");
  const restoreFrom = values.matching(
    "restoreFrom",
    /^[a-zA-Z][a-zA-Z0-9:-]{0,254}$/,
    "it must be the name of a snapshot",
  );
  const passwordGeneration = values.count("redisPasswordGeneration", 1, 1_000_000);
  const url = values.text("redisUrl");
  if (url === undefined) return { create: { tier, nodeType, passwordGeneration, restoreFrom } };

  for (const [key, value] of Object.entries({ cacheNodeType: nodeType, restoreFrom }))
    if (value !== undefined) values.refuse(key, value, "it must not be given together with redisUrl");
  if (tier !== "cache")
    values.refuse("cacheTier", tier, "with redisUrl nothing is created, so it must be left at cache");
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(stack))
    values.problem(
      `the stack is named ${JSON.stringify(stack)}; with redisUrl its name becomes the prefix of all keys ` +
        "and must be 1 to 32 letters, digits, dashes or underscores",
    );
  return { adopt: readUrl(values, url) };
}

function readUrl(values: StackValues, text: string): AdoptedRedis {
  const url = parseUrl(text);
  // Not shown: what can't be used may hold a password all the same.
  if (url === undefined)
    values.problem(
      `${values.project}:redisUrl is no address that tasks can use; it must begin with redis:// or rediss://, name a ` +
        "host that is not this machine (a name or an IPv4 address), and hold no query and no fragment",
    );
  else if (url.password !== undefined && !url.url.startsWith("rediss:"))
    values.problem(`${values.project}:redisUrl holds a password, which must not travel unencrypted; use rediss://`);
  else if (url.password !== undefined && !values.isSecret("redisUrl"))
    values.problem(
      `${values.project}:redisUrl holds a password in plain text; ` +
        "set it with pulumi config set --secret redisUrl rediss://...",
    );
  return url ?? { url: "", username: undefined, password: undefined, host: "", port: 0 };
}

function parseUrl(text: string): AdoptedRedis | undefined {
  try {
    const url = new URL(text);
    if (!/^rediss?:$/.test(url.protocol) || !isElsewhere(url.hostname) || url.port === "0") return undefined;
    // What is left of the address stands in plain text, so it holds nothing that could be a password.
    if (url.search !== "" || url.hash !== "" || !/^\/?\d*$/.test(url.pathname)) return undefined;
    const bare = new URL(text);
    bare.username = "";
    bare.password = "";
    return {
      url: bare.href,
      username: decodeURIComponent(url.username) || undefined,
      password: decodeURIComponent(url.password) || undefined,
      host: url.hostname,
      port: Number(url.port || 6379),
    };
  } catch {
    return undefined;
  }
}

/** A host that a task reaches: neither the task itself nor, in a VPC without IPv6, an IPv6 address. */
function isElsewhere(host: string): boolean {
  return host !== "" && !/^(localhost|127\.[\d.]+|0\.0\.0\.0|\[.*\])$/i.test(host);
}
