/** How much there is to do, and is being done, in all of the deployment: what to scale workers by. */
import type { Redis } from "../redis/connect.js";
import { ALL_PARTITIONS, type Keys } from "../redis/partitions.js";
import { loadScript } from "../redis/scripts.js";
import { runScriptFolder } from "./scripts.js";

const script = loadScript(runScriptFolder, "queue_depth");

/** Runs by state: `claimable` could run now, `delayed` are due later, `running` are leased to a worker. */
export type QueueDepth = Record<"claimable" | "delayed" | "running", number>;

export async function queueDepth(redis: Redis, keys: Keys): Promise<QueueDepth> {
  const depths = await Promise.all(
    ALL_PARTITIONS.map(async (partition) => (await script.run(redis, keys.in(partition, "leases"))) as number[]),
  );
  const sum = (at: number) => depths.reduce((total, depth) => total + (depth[at] ?? 0), 0);
  return { claimable: sum(0), delayed: sum(1), running: sum(2) };
}
