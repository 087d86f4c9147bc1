/** A short chaos run: every kind of fault that a standalone Redis has, once, under every kind of load. */
import { expect, test } from "vitest";
import { builtApp } from "../support/build.js";
import { runChaos } from "./chaos.js";
import { kindsOf } from "./faults.js";
import { linesOf } from "./report.js";

test("runs survive every kind of fault, and nobody who follows one misses an event", { timeout: 180_000 }, async () => {
  const told: string[] = [];
  const options = { seconds: 20, seed: 1, form: "standalone" as const };
  const report = await runChaos(options, builtApp(), (line) => told.push(line));
  expect(report.violations, [...told, ...linesOf(report)].join("\n")).toEqual([]);
  expect(report.faults).toEqual(Object.fromEntries(kindsOf("standalone").map((kind) => [kind, 1])));
  expect(Object.values(report.played).every((times) => times > 0)).toBe(true);
  expect(report.runs.accepted).toBeGreaterThan(50);
  expect(report.eventsChecked).toBeGreaterThan(500);
});
