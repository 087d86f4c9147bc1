/** `POST /internal/truncate`: there with `TRUNCATE_ROUTE=true` alone, for suites that begin each test with nothing. */
import { z } from "zod";
import type { Truncate } from "../data/truncate.js";
import { type Resource, reply } from "./resource.js";
import { optional } from "./shapes.js";

const KINDS = ["runs", "threads", "checkpointer", "assistants", "store"] as const;
const Flag = optional(z.boolean());

const Truncated = z
  .object({
    runs: Flag.describe("all threads, with their runs and checkpoints, which can't be told apart"),
    threads: Flag.describe("the same"),
    checkpointer: Flag.describe("the same"),
    assistants: Flag.describe("all but those of graphs"),
    store: Flag.describe("all items"),
  })
  .meta({ id: "Truncate", description: "What goes; all of it where nothing is named." });

export function truncateRoutes(resource: Resource, truncate: Truncate): void {
  resource.post(
    "/internal/truncate",
    {
      summary: "Remove what tests have left",
      description: "Only with `TRUNCATE_ROUTE=true`, which no deployment sets.",
      body: Truncated,
      answers: { 200: { description: "it is gone", json: z.object({ ok: z.literal(true) }) } },
    },
    async ({ body }) => {
      const all = KINDS.every((kind) => body[kind] === undefined);
      const { runs, threads, checkpointer, assistants, store } = body;
      await truncate({
        threads: all || runs === true || threads === true || checkpointer === true,
        assistants: all || assistants === true,
        store: all || store === true,
      });
      return reply({ ok: true });
    },
  );
}
