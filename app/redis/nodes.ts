/** The nodes that take writes: the one Redis, or a cluster's masters, each asked on the connection of the commands. */
import { Cluster } from "ioredis";
import type { Redis } from "./connect.js";
import { ALL_PARTITIONS, crc16, type Keys } from "./partitions.js";

const SLOTS = 16_384;

export interface Node {
  /** `host:port`; empty for the one Redis, whose address is the login's. */
  name: string;
  redis: Redis;
}

export function writableNodes(redis: Redis): Node[] {
  if (!(redis instanceof Cluster)) return [{ name: "", redis }];
  return redis.nodes("master").map((node) => ({ name: nameOf(node.options), redis: node }));
}

/** @param tag of a partition, such as `{sw:3}` @returns undefined while the map of slots is unknown */
export function nodeOf(redis: Redis, tag: string): string | undefined {
  if (!(redis instanceof Cluster)) return "";
  return redis.slots[crc16(tag.slice(1, -1)) % SLOTS]?.[0];
}

/** The tag of a partition that lies on the node; undefined for one without any. */
export function tagOn(redis: Redis, keys: Keys, node: string): string | undefined {
  return ALL_PARTITIONS.map((partition) => keys.tag(partition)).find((tag) => nodeOf(redis, tag) === node);
}

function nameOf({ host = "", port = 6379 }: { host?: string | undefined; port?: number | undefined }): string {
  return `${host}:${port}`;
}

/** A word of what INFO answers; empty where it is not told. */
export function infoText(info: string, name: string): string {
  return new RegExp(`^${name}:(\\S+)`, "m").exec(info)?.[1] ?? "";
}

/** A number of what INFO answers; 0 where it is not told. */
export function infoNumber(info: string, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? 0);
}
