/**
 * Random sequences of moves on the real scripts and on a model of them, compared after each move.
 *
 *   MODEL_RUNS=5000 npx vitest run test/redis/model    more sequences than the usual 250 (of up to 60 moves each)
 *   MODEL_SEED=123  npx vitest run test/redis/model    the sequences of that seed, as a failure prints it
 *
 * A failing sequence is shrunk, and printed move by move with its seed.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Core, startCore } from "../../support/core.js";
import { anyMove } from "./commands.js";
import { Model } from "./model.js";
import { Real } from "./real.js";

const sequences = Number(process.env.MODEL_RUNS ?? 250);
const seed = process.env.MODEL_SEED ? Number(process.env.MODEL_SEED) : undefined;

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
afterAll(() => core.stop());

test("every move of the scripts is the model's, whatever came before", {
  timeout: 60_000 + sequences * 400,
}, async () => {
  const real = new Real(core.redis, core.admin);
  const moved = new Map<string, number>();
  const sequence = fc.commands(anyMove(moved), { maxCommands: 60, size: "max" });
  const property = fc.asyncProperty(sequence, async (moves) => {
    const model = new Model();
    await real.reset(model.now);
    await fc.asyncModelRun(() => ({ model, real }), moves);
  });
  await fc.assert(property, { numRuns: sequences, ...(seed === undefined ? {} : { seed }) });

  // Sequences that never reach a move would prove nothing of it.
  for (const [name, times] of moved) expect(times, name).toBeGreaterThan(0);
});
