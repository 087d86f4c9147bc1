/** Servers drop from the indexes what nobody lists; the items themselves Redis drops in time. */
import { startRounds } from "../../runs/rounds.js";
import type { Log } from "../../telemetry/log.js";
import type { ItemStore } from "./items.js";

const SWEEP_MS = 60_000;

/** Sweeps about each minute until stopped. Failures are logged; the next sweep tries again. */
export function startStoreSweeper(items: Pick<ItemStore, "sweep">, log: Log): { stop(): Promise<void> } {
  return startRounds(async () => {
    try {
      await items.sweep();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ event: "store_sweep_failed", reason }, "the store was not swept");
    }
  }, SWEEP_MS);
}
