/** Servers drop from the indexes what nobody lists; the items themselves Redis drops in time. */
import type { Log } from "../../telemetry/log.js";
import type { ItemStore } from "./items.js";

const SWEEP_MS = 60_000;

/** Sweeps about each minute until stopped. Failures are logged; the next sweep tries again. */
export function startStoreSweeper(items: Pick<ItemStore, "sweep">, log: Log): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();
  let stopped = false;

  const sweep = async () => {
    try {
      await items.sweep();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ event: "store_sweep_failed", reason }, "the store was not swept");
    }
    if (!stopped) schedule();
  };
  const schedule = () => {
    // Jitter keeps a fleet that started together from sweeping together.
    const delay = SWEEP_MS * (0.8 + 0.4 * Math.random());
    timer = setTimeout(() => {
      current = sweep();
    }, delay);
  };
  schedule();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
