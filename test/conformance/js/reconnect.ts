/** Streams that are cut in the middle: the SDK goes on by itself, and sees every event once. */
import type { Case, Target } from "../cases.js";
import { must } from "../shape.js";
import { type Chunk, newThread } from "./support.js";

const COUNT = 40;
const ticks = Array.from({ length: COUNT }, (_, index) => ({ tick: index + 1 }));
const run = { input: { count: COUNT, pace_ms: 50 }, streamMode: "custom" as const };

/** @param hurt called once, in the middle of the stream */
async function follow(stream: AsyncIterable<unknown>, hurt: () => Promise<void> | void): Promise<void> {
  const seen: Chunk[] = [];
  let hurting: Promise<void> | undefined;
  for await (const one of stream) {
    seen.push(one as Chunk);
    if (seen.length === 10) hurting = Promise.resolve(hurt());
  }
  await hurting;
  must(
    seen.filter(({ event }) => event === "custom").map(({ data }) => data),
    ticks,
    "events",
  );
  const ids = seen.map(({ id }) => id);
  must(new Set(ids).size, ids.length, "distinct ids");
  must([seen[0]?.event, seen.at(-1)?.event], ["metadata", "end"]);
}

export const reconnectCases: Case[] = [
  {
    name: "runs.stream, connection cut: complete, and nothing twice",
    async run({ shaky }) {
      const { client, cut } = await shaky();
      await follow(client.runs.stream(await newThread(client), "ticks", run), cut);
    },
  },
  {
    name: "runs.stream, stateless, connection cut: complete, and nothing twice",
    async run({ shaky }) {
      const { client, cut } = await shaky();
      await follow(client.runs.stream(null, "ticks", run), cut);
    },
  },
  {
    name: "runs.joinStream, connection cut: complete, and nothing twice",
    async run({ shaky }) {
      const { client, cut } = await shaky();
      const threadId = await newThread(client);
      const { run_id } = await client.runs.create(threadId, "ticks", { ...run, streamResumable: true });
      await follow(client.runs.joinStream(threadId, run_id, { lastEventId: "-1" }), cut);
    },
  },
];

/** Where there is more than one server. */
export const killCases: Case[] = [
  {
    name: "runs.stream, its server killed: complete, and nothing twice",
    alone: true,
    async run({ client, killServerOf }: Target) {
      if (!killServerOf) throw new Error("the only server can't be killed");
      let runId = "";
      const onRunCreated = (ids: { run_id: string }) => {
        runId = ids.run_id;
      };
      const stream = client.runs.stream(await newThread(client), "ticks", { ...run, onRunCreated });
      await follow(stream, () => killServerOf(runId));
    },
  },
];
