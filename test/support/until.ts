/** Waiting for a condition where vitest does not run the code: `vi.waitFor` works in its test files only. */
import { setTimeout as delay } from "node:timers/promises";

/** Calls `check` until it does not throw. @returns what it then answers @throws what it threw last */
export async function until<T>(
  check: () => T | Promise<T>,
  { interval, timeout }: { interval: number; timeout: number },
): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await delay(interval);
  }
}
