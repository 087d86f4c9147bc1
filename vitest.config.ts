import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // As patient as `soon` of the helpers: a second is little where other tests start processes.
    expect: { poll: { interval: 20, timeout: 10_000 } },
    // Two cores, and most files start processes of their own.
    maxWorkers: 2,
    globalSetup: ["test/support/setup.ts"],
  },
});
