import { expect, test } from "vitest";
import { readable } from "../../app/local/logLine.js";

test("a role's JSON line reads as a sentence with its details", () => {
  const line =
    '{"level":30,"time":"2026-11-23T13:49:15.552Z","instance":"worker-1","role":"worker","event":"run_ended","runId":"r1","status":"success","msg":"run ended"}';
  expect(readable(line)).toBe("13:49:15 run ended  runId=r1 status=success");
});

test("warnings and errors say so", () => {
  expect(readable('{"level":40,"time":"2026-11-23T13:49:15.552Z","msg":"slow"}')).toBe("13:49:15 warning: slow");
  expect(readable('{"level":50,"time":"2026-11-23T13:49:15.552Z","msg":"broken"}')).toBe("13:49:15 error: broken");
});

test("what a user's graph prints stays as it is", () => {
  for (const line of ["hello", '{"level":30, cut', '{"mine":1}', ""]) expect(readable(line)).toBe(line);
});
