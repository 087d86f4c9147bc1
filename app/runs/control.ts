/**
 * Words from servers to the workers that hold their runs. One channel a partition, heard by every worker: a channel a
 * worker would lie in another slot than the run whose script speaks, and one a run would cost two round trips a run.
 */
import type { Redis } from "../redis/connect.js";
import { ALL_PARTITIONS, type Keys } from "../redis/partitions.js";
import type { Attention } from "./attempts.js";

/** Hears of cancels, and of runs that were taken away. Resolves once subscribed. @param subscriber used for nothing else */
export async function hearCancels(
  subscriber: Redis,
  keys: Keys,
  onCancel: (attention: Attention) => void,
): Promise<void> {
  subscriber.on("smessage", (_channel: string, text: string) => {
    const [word, owner = ""] = text.split(" ");
    // A later release may say more.
    if (word === "lost" || word === "interrupt") onCancel({ owner, word });
  });
  await Promise.all(ALL_PARTITIONS.map((partition) => subscriber.ssubscribe(keys.in(partition, "control"))));
}
