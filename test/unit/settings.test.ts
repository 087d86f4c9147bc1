import { expect, test } from "vitest";
import { readSettings } from "../../app/settings.js";

const read = (environment: Record<string, string>) => readSettings({ REDIS_URL: "redis://localhost", ...environment });

test("limits of seconds have the defaults of the documentation, and may be parts of a second", () => {
  expect(read({})).toMatchObject({ blockedLoopSeconds: 60, abandonedNodeSeconds: 60, outageSeconds: 90 });
  expect(read({ ABANDONED_NODE_SECONDS: "0.25", OUTAGE_SECONDS: "1.5" })).toMatchObject({
    abandonedNodeSeconds: 0.25,
    outageSeconds: 1.5,
  });
});

test.each([
  ["BLOCKED_LOOP_SECONDS", "0.2", "BLOCKED_LOOP_SECONDS must be at least 1"],
  ["ABANDONED_NODE_SECONDS", "4000", "ABANDONED_NODE_SECONDS must be at most 3600"],
  ["OUTAGE_SECONDS", "-1", "OUTAGE_SECONDS must be a number of seconds"],
  ["OUTAGE_SECONDS", "1m", "OUTAGE_SECONDS must be a number of seconds"],
])("%s=%s is refused with a sentence", (name, value, sentence) => {
  expect(() => read({ [name]: value })).toThrow(sentence);
});
