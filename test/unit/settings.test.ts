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

test("what a server takes from its clients has limits, generous ones unless they are set", () => {
  expect(read({}).limits).toEqual({
    maxBodyBytes: 8 * 1024 * 1024,
    maxJsonDepth: 200,
    maxJsonValues: 1_000_000,
    maxHeaderBytes: 16 * 1024,
    maxUrlBytes: 8 * 1024,
    maxPageSize: 1_000,
    maxStreamsPerClient: 10_000,
    maxOpenRequests: 20_000,
  });
  expect(read({ MAX_STREAMS_PER_CLIENT: "5" }).limits.maxStreamsPerClient).toBe(5);
  expect(read({}).truncateRoute).toBe(false);
});

test.each([
  ["BLOCKED_LOOP_SECONDS", "0.2", "BLOCKED_LOOP_SECONDS must be at least 1"],
  ["ABANDONED_NODE_SECONDS", "4000", "ABANDONED_NODE_SECONDS must be at most 3600"],
  ["OUTAGE_SECONDS", "-1", "OUTAGE_SECONDS must be a number of seconds"],
  ["OUTAGE_SECONDS", "1m", "OUTAGE_SECONDS must be a number of seconds"],
  ["MAX_URL_BYTES", "20000", "MAX_URL_BYTES must be at most MAX_HEADER_BYTES"],
  ["MAX_PAGE_SIZE", "1001", "MAX_PAGE_SIZE must be at most 1000"],
  ["TRUNCATE_ROUTE", "1", "TRUNCATE_ROUTE must be true or false"],
])("%s=%s is refused with a sentence", (name, value, sentence) => {
  expect(() => read({ [name]: value })).toThrow(sentence);
});
