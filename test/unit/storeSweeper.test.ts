import pino from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startStoreSweeper } from "../../app/data/store/sweeper.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("the store is swept about each minute, also after a sweep that failed, until the server stops", async () => {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
  const sweep = vi.fn(async () => {});
  sweep.mockRejectedValueOnce(new Error("Connection is closed."));
  const sweeper = startStoreSweeper({ sweep }, log);
  await vi.advanceTimersByTimeAsync(72_000);
  expect(sweep).toHaveBeenCalledTimes(1);
  expect(JSON.parse(lines.join())).toMatchObject({ event: "store_sweep_failed", reason: "Connection is closed." });
  await vi.advanceTimersByTimeAsync(72_000);
  expect(sweep.mock.calls.length).toBeGreaterThanOrEqual(2);
  await sweeper.stop();
  const { length } = sweep.mock.calls;
  await vi.advanceTimersByTimeAsync(200_000);
  expect(sweep).toHaveBeenCalledTimes(length);
});
