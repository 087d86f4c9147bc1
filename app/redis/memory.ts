/**
 * Watches how full each node is. With `noeviction` a full Redis fails writes of runs that it had accepted, so new runs are
 * refused well before, and what can be spared goes before a checkpoint would fail.
 */
import type { Log } from "../telemetry/log.js";
import type { Redis } from "./connect.js";
import { infoNumber, type Node, nodeOf, writableNodes } from "./nodes.js";

/** Of maxmemory. Above it new runs are refused. */
const REFUSE_ABOVE = 0.85;
/** Of maxmemory. Above it what can be spared is removed. */
const SPARE_ABOVE = 0.9;
const LOOK_MS = 1_000;

/** New work is refused until memory is freed. */
export class MemoryFull extends Error {
  override name = "MemoryFull";
  readonly retryAfterSeconds = 10;

  constructor() {
    super("the database's memory is nearly used up: no new runs are taken until some is freed; try again later");
  }
}

export interface MemoryGuard {
  /** @param key of what would be written @throws MemoryFull */
  check(key: string): void;
  stop(): Promise<void>;
}

export interface MemoryGuardDeps {
  redis: Redis;
  log: Log;
  /** Frees memory on a node that is nearly full; stops once `stillFull` says so. */
  spare: (node: Node, stillFull: () => Promise<boolean>) => Promise<void>;
}

export function startMemoryGuard({ redis, log, spare }: MemoryGuardDeps): MemoryGuard {
  const refusing = new Set<string>();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const look = async (node: Node) => {
    const used = await usedPart(node);
    if (refusing.has(node.name) !== used >= REFUSE_ABOVE) {
      if (used >= REFUSE_ABOVE) refusing.add(node.name);
      else refusing.delete(node.name);
      const entry = { event: "memory", node: node.name, usedPercent: Math.round(used * 100) };
      log.warn(entry, refusing.has(node.name) ? "memory is nearly used up: new runs are refused" : "memory was freed");
    }
    if (used >= SPARE_ABOVE) await spare(node, async () => !stopped && (await usedPart(node)) >= SPARE_ABOVE);
  };
  const lookAtAll = async () => {
    const nodes = writableNodes(redis);
    const names = new Set(nodes.map(({ name }) => name));
    for (const name of refusing) if (!names.has(name)) refusing.delete(name);
    // A node that is away refuses by itself.
    for (const result of await Promise.allSettled(nodes.map(look)))
      if (result.status === "rejected") log.debug({ reason: String(result.reason) }, "memory unknown");
    if (!stopped) timer = setTimeout(begin, LOOK_MS);
  };
  let looking = Promise.resolve();
  const begin = () => {
    looking = lookAtAll();
  };
  begin();

  return {
    check(key) {
      if (refusing.has(nodeOf(redis, key.slice(0, key.indexOf("}") + 1)) ?? "")) throw new MemoryFull();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

/** Of maxmemory, as Redis compares them: without the buffers of replicas. 0 where there is no limit. */
async function usedPart({ redis }: Node): Promise<number> {
  const info = await redis.info("memory");
  const most = infoNumber(info, "maxmemory");
  if (most === 0) return 0;
  return (infoNumber(info, "used_memory") - infoNumber(info, "mem_not_counted_for_evict")) / most;
}
