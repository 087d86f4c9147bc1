/** Streams of the JavaScript SDK: what each mode sends, and joining them. */
import { randomUUID } from "node:crypto";
import type { StreamMode } from "@langchain/langgraph-sdk";
import type { Case, Target } from "../cases.js";
import { anything, each, having, is, isRecord, must, number, object, some, text, uuid, type Wanted } from "../shape.js";
import { type Chunk, collect, eventsOf, newThread, refused } from "./support.js";

const started = (runId: Wanted = uuid) => having({ run_id: runId, attempt: 1 });
const chunk = (event: string, data: Parameters<typeof must>[1]) => ({ id: text, event, data });
const end = having({ event: "end" });

export const streamCases: Case[] = [
  {
    name: "runs.stream: metadata first, then values and updates in order, end last",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      let ids: { run_id: string; thread_id?: string } | undefined;
      const chunks = await collect(
        runs.stream(threadId, "steps", {
          ...{ input: { topic: "a" }, streamMode: ["values", "updates"] },
          onRunCreated: (created) => {
            ids = created;
          },
        }),
      );
      must(ids, { run_id: uuid, thread_id: threadId }, "onRunCreated");
      must(chunks, [
        chunk("metadata", started(ids?.run_id)),
        chunk("values", { topic: "a", items: [] }),
        chunk("updates", { first: { items: ["first"] } }),
        chunk("values", { topic: "a", items: ["first"] }),
        chunk("updates", { second: { items: ["second"] } }),
        chunk("values", { topic: "a", items: ["first", "second"] }),
        end,
      ]);
    },
  },
  {
    name: "runs.stream: messages-tuple and messages",
    async run({ client: { runs } }) {
      const input = { messages: [{ role: "user", content: "Hi" }] };
      const tuples = await collect(runs.stream(null, "speaks", { input, streamMode: "messages-tuple" }));
      const messages = tuples.filter(({ event }) => event === "messages");
      must(messages.map(({ data }) => (data as [{ content: string }])[0].content).join(""), "Hello");
      must(
        messages.map(({ data }) => data),
        each([having({ id: text, type: "ai" }), having({ langgraph_node: "speak", langgraph_step: 1 })]),
      );
      const whole = await collect(runs.stream(null, "speaks", { input, streamMode: "messages" }));
      const of = (event: string) => whole.filter((one) => one.event === event).map(({ data }) => data);
      const [told] = of("messages/metadata");
      must(Object.values(told as object), [having({ metadata: having({ langgraph_node: "speak" }) })]);
      const partial = of("messages/partial").map((data) => (data as [{ content: string }])[0].content);
      must(partial.at(-1), "Hello");
      must(
        partial.every((content) => "Hello".startsWith(content)),
        true,
        "partial messages accumulate",
      );
    },
  },
  {
    name: "runs.stream: custom, debug, tasks, checkpoints, events",
    async run({ client: { runs }, client }) {
      const datas = async (streamMode: StreamMode, graph = "steps") => {
        const input = graph === "ticks" ? { count: 2 } : { topic: "a" };
        const chunks: Chunk[] = await collect(runs.stream(await newThread(client), graph, { input, streamMode }));
        must([chunks[0]?.event, chunks.at(-1)?.event], ["metadata", "end"]);
        const inner = chunks.slice(1, -1);
        must(eventsOf(inner), some(streamMode));
        return inner.map(({ data }) => data);
      };
      must(await datas("custom", "ticks"), [{ tick: 1 }, { tick: 2 }]);
      must(await datas("debug"), some({ step: number, timestamp: text, type: text, payload: object }));
      const tasks = await datas("tasks");
      must(tasks, [
        having({ id: text, name: "first", input: object, triggers: each(text) }),
        having({ id: text, name: "first", result: anything, interrupts: [] }),
        having({ name: "second" }),
        having({ name: "second", result: anything }),
      ]);
      const checkpoints = await datas("checkpoints");
      must(checkpoints, some(having({ values: object, next: each(text), config: object, metadata: object })));
      must(checkpoints.at(-1), having({ values: { topic: "a", items: ["first", "second"] }, next: [] }));
      const events = await datas("events");
      must(events, some(having({ event: text, name: text, run_id: text, data: object })));
      must((events[0] as { event: string }).event, "on_chain_start");
    },
  },
  {
    name: "runs.stream: events of subgraphs carry their namespace",
    async run({ client: { runs } }) {
      const options = { input: { topic: "x" }, streamMode: "updates" as const, streamSubgraphs: true };
      const chunks = await collect(runs.stream(null, "family", options));
      const inner = is("updates of the child", (event) => /^updates\|child:[0-9a-f-]+$/.test(String(event)));
      must(eventsOf(chunks), ["metadata", inner, inner, "updates", "updates", "end"]);
      must(
        chunks.slice(1, 5).map(({ data }) => data),
        [
          { inner: { items: ["inner x"] } },
          { close: { items: ["closed"] } },
          { child: { topic: "x", items: ["inner x", "closed"] } },
          { after: { items: ["inner x", "closed", "after"] } },
        ],
      );
    },
  },
  {
    name: "runs.stream: interrupts and errors",
    async run({ client: { runs }, client }) {
      const asked = await collect(
        runs.stream(await newThread(client), "asks", { input: { topic: "go" }, streamMode: ["values", "updates"] }),
      );
      const __interrupt__ = [having({ id: text, value: { question: "May I go?" } })];
      must(asked.find(({ event, data }) => event === "updates" && "__interrupt__" in (data as object))?.data, {
        __interrupt__,
      });
      must(asked.filter(({ event }) => event === "values").at(-1)?.data, having({ __interrupt__ }));
      const failed = await collect(runs.stream(await newThread(client), "fails", { input: {} }));
      must(failed.slice(-2), [having({ event: "error", data: { error: "RangeError", message: "planned" } }), end]);
    },
  },
  {
    name: "runs.stream: stateless, and joining it by its run alone",
    async run({ client: { runs } }) {
      let runId = "";
      const options = { input: { count: 3, pace_ms: 50 }, streamMode: "custom" as const, streamResumable: true };
      const onRunCreated = (ids: { run_id: string }) => {
        runId = ids.run_id;
      };
      const chunks = await collect(runs.stream(null, "ticks", { ...options, onRunCreated }));
      must(eventsOf(chunks), ["metadata", "custom", "custom", "custom", "end"]);
      must(await collect(runs.joinStream(null, runId, { lastEventId: "-1" })), chunks as never);
    },
  },
  {
    name: "runs.joinStream: from the start, after an id, and with modes left out",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      const streamMode: StreamMode[] = ["values", "updates", "custom"];
      const input = { count: 3, pace_ms: 20 };
      const { run_id } = await runs.create(threadId, "ticks", { input, streamMode, streamResumable: true });
      const all = await collect(runs.joinStream(threadId, run_id));
      must(eventsOf(all), ["metadata", "values", "custom", "custom", "custom", "updates", "values", "end"]);
      must(await collect(runs.joinStream(threadId, run_id, { lastEventId: "-1" })), all as never);
      must(await collect(runs.joinStream(threadId, run_id, { lastEventId: all[3]?.id ?? "" })), all.slice(4) as never);
      const custom = await collect(runs.joinStream(threadId, run_id, { lastEventId: "-1", streamMode: ["custom"] }));
      must(eventsOf(custom), ["metadata", "custom", "custom", "custom", "end"]);
      await refused(collect(runs.joinStream(threadId, randomUUID())) as never, 404, /does not exist/);
    },
  },
  {
    name: "runs.joinStream: cancels the run when its client leaves",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      const { run_id } = await runs.create(threadId, "ticks", {
        ...{ input: { count: 500, pace_ms: 50 }, streamMode: "custom" },
      });
      const leave = new AbortController();
      const options = { signal: leave.signal, cancelOnDisconnect: true };
      for await (const { event } of runs.joinStream(threadId, run_id, options)) if (event === "custom") leave.abort();
      await runs.join(threadId, run_id);
      must((await runs.get(threadId, run_id)).status, "interrupted");
    },
  },
  {
    name: "threads.joinStream: the events of every run of the thread, and what came after an id",
    async run({ client: { runs, threads }, client }) {
      const threadId = await newThread(client);
      const [seen] = await Promise.all([
        until(threads, threadId, { lastEventId: "-" }, (chunks) => doneRuns(chunks) === 2),
        (async () => {
          await runs.wait(threadId, "steps", { input: { topic: "a" } });
          await runs.create(threadId, "steps", { input: { topic: "b" }, streamMode: "updates" });
        })(),
      ]);
      const [second, first] = await runs.list(threadId);
      const all = ["first", "second"];
      const values = (topic: string, items: string[]) => chunk("values", { topic, items });
      must(seen, [
        chunk("metadata", started(first?.run_id)),
        ...[values("a", []), values("a", ["first"]), values("a", all)],
        chunk("metadata", { status: "run_done", run_id: first?.run_id }),
        chunk("metadata", started(second?.run_id)),
        chunk("updates", { first: { items: ["first"] } }),
        chunk("updates", { second: { items: ["second"] } }),
        chunk("metadata", { status: "run_done", run_id: second?.run_id }),
      ]);
      const after = { lastEventId: seen[3]?.id ?? "" };
      must(await until(threads, threadId, after, (chunks) => doneRuns(chunks) === 2), seen.slice(4) as never);
    },
  },
  {
    name: "threads.joinStream: lifecycle, and state_update",
    async run({ client: { runs, threads }, client }) {
      const threadId = await newThread(client);
      const all = (streamMode: Modes) => ({ lastEventId: "-", streamMode });
      const [lifecycle, updates] = await Promise.all([
        until(threads, threadId, all("lifecycle"), (chunks) => doneRuns(chunks) === 1),
        until(threads, threadId, all(["state_update"]), (chunks) => chunks.length === 1),
        runs.wait(threadId, "steps", { input: { topic: "a" } }),
      ]);
      const [run] = await runs.list(threadId);
      must(lifecycle, [
        chunk("metadata", started(run?.run_id)),
        chunk("metadata", { status: "run_done", run_id: run?.run_id }),
      ]);
      must(updates, [having({ event: text, data: object })]);
    },
  },
];

type ThreadsClient = Target["client"]["threads"];
type JoinOptions = NonNullable<Parameters<ThreadsClient["joinStream"]>[1]>;
type Modes = NonNullable<JoinOptions["streamMode"]>;

/** The thread's events until they are enough: its stream does not end by itself. */
async function until(
  threads: ThreadsClient,
  threadId: string,
  options: JoinOptions,
  enough: (chunks: Chunk[]) => boolean,
): Promise<Chunk[]> {
  const leave = new AbortController();
  const chunks: Chunk[] = [];
  for await (const one of threads.joinStream(threadId, { ...options, signal: leave.signal })) {
    chunks.push(one as Chunk);
    if (enough(chunks)) break;
  }
  leave.abort();
  return chunks;
}

const doneRuns = (chunks: Chunk[]): number =>
  chunks.filter(({ data }) => isRecord(data) && data.status === "run_done").length;
