import { expect, test } from "vitest";
import { LoopWatch } from "../../app/worker/loopWatch.js";

const EVERY_MS = 250;

function watched() {
  const turns = new Int32Array(new SharedArrayBuffer(4));
  const watch = new LoopWatch(turns, EVERY_MS, 0);
  let now = 0;
  return {
    /** The loop turns meanwhile, or not. */
    after(ms: number, turned: boolean, excused = false) {
      now += ms;
      if (turned) Atomics.add(turns, 0, 1);
      return watch.look(excused, now);
    },
  };
}

test("a loop that stands still is blocked for as long as it does, and not at all once it turns", () => {
  const loop = watched();
  expect(loop.after(EVERY_MS, true)).toBe(0);
  for (let look = 1; look <= 240; look++) expect(loop.after(EVERY_MS, false)).toBe(look * EVERY_MS);
  expect(loop.after(EVERY_MS, true)).toBe(0);
});

test("a process that was stopped for an hour is not blamed for it", () => {
  const loop = watched();
  loop.after(EVERY_MS, true);
  expect(loop.after(3_600_000, false)).toBeLessThanOrEqual(2 * EVERY_MS);
  expect(loop.after(EVERY_MS, true)).toBe(0);
});

test("while Redis is away nothing counts: a loop that still stands then counts from its return", () => {
  const loop = watched();
  for (let look = 0; look < 10; look++) loop.after(EVERY_MS, false);
  expect(loop.after(EVERY_MS, false, true)).toBe(0);
  expect(loop.after(EVERY_MS, false)).toBe(EVERY_MS);
});
