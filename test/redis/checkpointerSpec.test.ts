/** LangGraph's own conformance suite for savers, whole. It is written for global test functions. */
import { BaseCheckpointSaver, JsonPlusSerializer } from "@langchain/langgraph-checkpoint";
import { deltaChannelHistoryTests, specTest } from "@langchain/langgraph-checkpoint-validation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createCheckpointer } from "../../app/data/checkpoints/checkpointer.js";
import { type Core, startCore } from "../support/core.js";

Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
afterAll(() => core.stop());

const suite = {
  checkpointerName: "switchyard",
  async createCheckpointer() {
    await core.admin.flushall();
    return createCheckpointer({ BaseCheckpointSaver, serializer: new JsonPlusSerializer() }, core);
  },
};

specTest(suite);
deltaChannelHistoryTests(suite);
