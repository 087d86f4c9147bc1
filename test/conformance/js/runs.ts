/** `client.runs` of the JavaScript SDK: starting, waiting, listing, cancelling, removing. Streams are in `streams.ts`. */
import { randomUUID } from "node:crypto";
import type { Case } from "../cases.js";
import { having, must, object, text, uuid } from "../shape.js";
import { eventually, newThread, refused, run, running } from "./support.js";

// The SDK's type has other words than the API, which takes these.
const [keep, drop] = ["keep", "delete"] as unknown as ("complete" | "continue")[];
const slow = { count: 1, pace_ms: 60_000 };

export const runCases: Case[] = [
  {
    name: "runs.create, get, join: every field given comes back, then the end",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      let told: unknown;
      const made = await runs.create(threadId, "steps", {
        ...{ input: { topic: "trains" }, metadata: { team: "a" }, streamMode: ["values", "updates"] },
        ...{ config: { tags: ["t"], recursion_limit: 7, configurable: { flavor: "red" } }, context: { user: "ada" } },
        ...{ streamSubgraphs: true, streamResumable: true, multitaskStrategy: "reject", durability: "sync" },
        ...{ interruptAfter: ["second"], ifNotExists: "create", feedbackKeys: ["score"], checkpointDuring: true },
        onRunCreated: (ids) => {
          told = ids;
        },
      });
      const wanted = {
        ...{ thread_id: threadId, multitask_strategy: "reject" },
        metadata: having({ team: "a", graph_id: "steps" }),
        kwargs: having({
          ...{ input: { topic: "trains" }, stream_mode: ["values", "updates"], context: { user: "ada" } },
          ...{ subgraphs: true, resumable: true, durability: "sync", interrupt_after: ["second"] },
          config: having({ tags: ["t"], recursion_limit: 7, configurable: having({ flavor: "red" }) }),
        }),
      };
      must(made, run("steps", wanted));
      must(told, { run_id: made.run_id, thread_id: threadId }, "onRunCreated");
      must(await runs.join(threadId, made.run_id), {
        ...{ topic: "trains", items: ["first", "second"] },
        __interrupt__: [],
      });
      must(await runs.get(threadId, made.run_id), run("steps", { ...wanted, status: "success" }));
      await refused(runs.get(threadId, randomUUID()), 404, /does not exist/);
      await refused(runs.join(threadId, randomUUID()), 404, /does not exist/);
    },
  },
  {
    name: "runs.wait: the thread's values; what the graph threw; what it asks",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      must(await runs.wait(threadId, "steps", { input: { topic: "a" } }), { topic: "a", items: ["first", "second"] });
      must(await runs.wait(await newThread(client), "fails", { input: {}, raiseError: false }), {
        __error__: { error: "RangeError", message: "planned" },
      });
      const asked = await newThread(client);
      must(await runs.wait(asked, "asks", { input: { topic: "go" } }), {
        ...{ topic: "go", items: [] },
        __interrupt__: [having({ id: text, value: { question: "May I go?" } })],
      });
      must(await runs.wait(asked, "asks", { command: { resume: "yes" } }), { topic: "go", items: ["answered yes"] });
    },
  },
  {
    name: "runs.wait: config, context and tags reach the graph; update and goto of a command, too",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      const given = { config: { tags: ["t"], configurable: { flavor: "red" } }, context: { user: "ada" } };
      must(await runs.wait(threadId, "told", { input: { topic: "x" }, ...given }), {
        ...{ topic: "x", told: { flavor: "red", user: "ada", tags: ["t"] } },
      });
      const second = await newThread(client);
      must(await runs.wait(second, "steps", { command: { update: { topic: "b" }, goto: "second" } }), {
        ...{ topic: "b", items: ["second"] },
      });
      await refused(runs.wait(threadId, "nowhere", { input: {} }), 404, /nowhere/);
      await refused(runs.wait(randomUUID(), "steps", { input: {} }), 404, /does not exist/);
      const made = randomUUID();
      must(await runs.wait(made, "steps", { input: {}, ifNotExists: "create" }), { items: ["first", "second"] });
      must((await client.threads.get(made)).status, "idle");
    },
  },
  {
    name: "runs.wait: interrupts before and after nodes, and a run from an old checkpoint",
    async run({ client: { runs, threads }, client }) {
      const threadId = await newThread(client);
      const input = { topic: "a" };
      must(await runs.wait(threadId, "steps", { input, interruptBefore: ["second"] }), having({ items: ["first"] }));
      must((await threads.getState(threadId)).next, ["second"]);
      must((await threads.get(threadId)).status, "interrupted");
      must(await runs.wait(threadId, "steps", { input: null }), having({ items: ["first", "second"] }));
      const stopped = await newThread(client);
      must(await runs.wait(stopped, "steps", { input, interruptAfter: "*" }), having({ items: ["first"] }));
      const [, old] = await threads.getHistory(threadId);
      const { checkpoint_id } = old?.checkpoint ?? {};
      if (!checkpoint_id) throw new Error("a state has a checkpoint");
      must(await runs.wait(threadId, "steps", { input: null, checkpointId: checkpoint_id }), {
        ...{ topic: "a", items: ["first", "second"] },
      });
      const fork = { checkpoint_ns: "", checkpoint_id, checkpoint_map: null };
      must(await runs.wait(threadId, "steps", { input: { topic: "b" }, checkpoint: fork }), {
        ...{ topic: "b", items: ["first", "first", "second"] },
      });
    },
  },
  {
    name: "runs.create, wait: stateless, kept or not; createBatch",
    async run({ client: { runs, threads } }) {
      must(await runs.wait(null, "steps", { input: { topic: "a" } }), { topic: "a", items: ["first", "second"] });
      const kept = await runs.create(null, "steps", { input: {}, onCompletion: keep, metadata: { k: 1 } });
      must(kept, run("steps", { metadata: having({ k: 1 }) }));
      await eventually(async () => must((await runs.get(kept.thread_id, kept.run_id)).status, "success"));
      must((await threads.get(kept.thread_id)).values, { items: ["first", "second"] });
      for (const onCompletion of [drop, "complete"] as const) {
        const gone = await runs.create(null, "steps", { input: {}, onCompletion });
        await eventually(() => refused(threads.get(gone.thread_id), 404, /does not exist/));
      }
      // Of a batch the SDK renames the assistant's id alone.
      const andKeep = { on_completion: "keep" };
      const batch = await runs.createBatch([
        { assistantId: "steps", input: { topic: "1" }, metadata: { n: 1 }, ...andKeep },
        { assistantId: "told", input: { topic: "2" }, ...andKeep },
      ]);
      must(batch, [run("steps", { metadata: having({ n: 1 }) }), run("told")]);
      for (const { thread_id, run_id } of batch)
        await eventually(async () => must((await runs.get(thread_id, run_id)).status, "success"));
      await refused(runs.createBatch([{ assistantId: "nowhere", input: {} }]), 404, /nowhere/);
    },
  },
  {
    name: "runs.list: newest first, in pages, by status, with chosen fields",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      const ids: string[] = [];
      for (const graph of ["steps", "fails", "told"]) {
        const { run_id } = await runs.create(threadId, graph, { input: {} });
        ids.unshift(run_id);
        await runs.join(threadId, run_id);
      }
      const listed = async (options?: Parameters<typeof runs.list>[1]) =>
        (await runs.list(threadId, options)).map(({ run_id }) => run_id);
      must(await listed(), ids);
      must(await listed({ limit: 1, offset: 1 }), [ids[1]]);
      must(await listed({ status: "error" }), [ids[1]]);
      must(await listed({ limit: 5, offset: 3 }), []);
      must(await runs.list(threadId, { limit: 1, select: ["run_id", "status"] }), [
        { run_id: ids[0], status: "success" },
      ]);
      await refused(runs.list(randomUUID()), 404, /does not exist/);
    },
  },
  {
    name: "runs.cancel: interrupts, rolls back, and is refused after the end",
    async run({ client: { runs, threads }, client }) {
      const threadId = await newThread(client);
      const first = await runs.create(threadId, "ticks", { input: slow });
      await running(client, threadId, first.run_id);
      must((await threads.get(threadId)).status, "busy");
      must(await runs.cancel(threadId, first.run_id, true), undefined);
      must(await runs.get(threadId, first.run_id), run("ticks", { status: "interrupted" }));
      await refused(runs.cancel(threadId, first.run_id), 409, /ended/);
      const second = await runs.create(threadId, "ticks", { input: slow });
      await running(client, threadId, second.run_id);
      must(await runs.cancel(threadId, second.run_id, true, "rollback"), undefined);
      await refused(runs.get(threadId, second.run_id), 404, /does not exist/);
      const third = await runs.create(threadId, "ticks", { input: slow });
      must(await runs.cancel(threadId, third.run_id, false, "interrupt"), undefined);
      await runs.join(threadId, third.run_id);
      must((await runs.get(threadId, third.run_id)).status, "interrupted");
      await refused(runs.cancel(threadId, randomUUID()), 404, /does not exist/);
    },
  },
  {
    name: "runs.cancelMany: those of a thread",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      const input = slow;
      const started = [
        await runs.create(threadId, "ticks", { input }),
        await runs.create(threadId, "ticks", { input }),
      ];
      const runIds = started.map(({ run_id }) => run_id);
      must(await runs.cancelMany({ threadId, runIds }), undefined);
      for (const runId of runIds)
        await eventually(async () => must((await runs.get(threadId, runId)).status, "interrupted"));
    },
  },
  {
    name: "runs.cancelMany: all of a status, on every thread",
    alone: true,
    async run({ client: { runs }, client }) {
      const [one, two] = [await newThread(client), await newThread(client)];
      const first = await runs.create(one, "ticks", { input: slow });
      await running(client, one, first.run_id);
      const waiting = await runs.create(one, "ticks", { input: slow });
      const second = await runs.create(two, "ticks", { input: slow, afterSeconds: 3_600 });
      must(await runs.cancelMany({ status: "pending" }), undefined);
      for (const [thread, { run_id }] of [
        [one, waiting],
        [two, second],
      ] as const)
        await eventually(async () => must((await runs.get(thread, run_id)).status, "interrupted"));
      must((await runs.get(one, first.run_id)).status, "running");
      must(await runs.cancelMany({ status: "all", action: "rollback" }), undefined);
      await eventually(() => refused(runs.get(one, first.run_id), 404, /does not exist/));
    },
  },
  {
    name: "multitaskStrategy: reject, enqueue, interrupt, rollback",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      const first = await runs.create(threadId, "ticks", { input: slow });
      await running(client, threadId, first.run_id);
      const again = (multitaskStrategy: "reject" | "enqueue" | "interrupt" | "rollback", graph = "ticks") =>
        runs.create(threadId, graph, { input: graph === "ticks" ? slow : {}, multitaskStrategy });
      await refused(again("reject"), 409, /busy/);
      const second = await again("interrupt");
      must(second, run("ticks", { multitask_strategy: "interrupt" }));
      await eventually(async () => must((await runs.get(threadId, first.run_id)).status, "interrupted"));
      await running(client, threadId, second.run_id);
      const third = await again("rollback", "steps");
      await runs.join(threadId, third.run_id);
      await refused(runs.get(threadId, second.run_id), 404, /does not exist/);
      must(await runs.get(threadId, third.run_id), run("steps", { multitask_strategy: "rollback", status: "success" }));
    },
  },
  {
    name: "runs.delete: a run that has ended, and one that has not",
    async run({ client: { runs }, client }) {
      const threadId = await newThread(client);
      await runs.wait(threadId, "steps", { input: {} });
      const [ended] = await runs.list(threadId);
      must(ended, having({ run_id: uuid, kwargs: object }));
      must(await runs.delete(threadId, ended?.run_id ?? ""), undefined);
      await refused(runs.get(threadId, ended?.run_id ?? ""), 404, /does not exist/);
      const open = await runs.create(threadId, "ticks", { input: slow });
      await running(client, threadId, open.run_id);
      must(await runs.delete(threadId, open.run_id), undefined);
      await refused(runs.delete(threadId, open.run_id), 404, /does not exist/);
    },
  },
];
