/** `client.threads` of the JavaScript SDK: states, their history, and writing them. */
import { randomUUID } from "node:crypto";
import type { ThreadStateSelectField } from "@langchain/langgraph-sdk";
import type { Case } from "../cases.js";
import { having, is, must, text, uuid } from "../shape.js";
import { checkpoint, newThread, ranOn, refused, state, task } from "./support.js";

export const threadStateCases: Case[] = [
  {
    name: "threads.getState: the newest, one by its id, one by its checkpoint; 404 for none",
    async run({ client }) {
      const { threads } = client;
      const id = await ranOn(client, "steps", { topic: "trains" });
      const values = { topic: "trains", items: ["first", "second"] };
      const newest = await threads.getState(id);
      must(newest, state(id, { values, metadata: having({ source: "loop", step: 2 }) }));
      const parent = newest.parent_checkpoint;
      if (!parent?.checkpoint_id) throw new Error("a checkpoint after the first has a parent");
      const before = state(id, {
        ...{ values: { topic: "trains", items: ["first"] }, next: ["second"] },
        tasks: [task("second", { result: having({ items: ["second"] }) })],
      });
      must(await threads.getState(id, parent.checkpoint_id), before);
      must(await threads.getState(id, parent), before);
      await refused(threads.getState(id, randomUUID()), 404, /checkpoint/);
      await refused(threads.getState(randomUUID()), 404, /does not exist/);
    },
  },
  {
    name: "threads.getState, getHistory with select: these fields alone, and single keys of the values",
    async run({ client }) {
      const { threads } = client;
      const id = await ranOn(client, "steps", { topic: "trains" });
      const select = ["values.topic", "next"] satisfies ThreadStateSelectField[];
      const parts = { values: { topic: "trains" }, next: [] };
      must(await threads.getState(id, undefined, { select }), parts);
      const [newest, second] = await threads.getHistory(id, { limit: 2 });
      if (!newest || !second?.checkpoint.checkpoint_id) throw new Error("there are four states");
      must(await threads.getState(id, newest.checkpoint, { select }), parts);
      must(await threads.getState(id, second.checkpoint.checkpoint_id, { select: ["next"] }), { next: ["second"] });
      must(await threads.getHistory(id, { limit: 2, select: ["values.items", "metadata"] }), [
        { values: { items: ["first", "second"] }, metadata: having({ step: 2 }) },
        { values: { items: ["first"] }, metadata: having({ step: 1 }) },
      ]);
      await refused(threads.getState(id, undefined, { select: ["nothing"] as never }), 422, /select/);
    },
  },
  {
    name: "threads.getState: of an interrupted thread, and before the first run",
    async run({ client }) {
      const id = await ranOn(client, "asks", { topic: "go" });
      const interrupts = [{ id: text, value: { question: "May I go?" } }];
      must(
        await client.threads.getState(id),
        state(id, {
          values: { topic: "go", items: [] },
          next: ["ask"],
          tasks: [task("ask", { interrupts })],
          interrupts,
        }),
      );
      const empty = await newThread(client);
      must(
        await client.threads.getState(empty),
        state(empty, { checkpoint: null, metadata: {}, created_at: null, parent_checkpoint: null }),
      );
      must(await client.threads.getHistory(empty), []);
    },
  },
  {
    name: "threads.getState with subgraphs: the task holds the subgraph's state",
    async run({ client }) {
      const id = await newThread(client);
      await client.runs.wait(id, "family", { input: { topic: "ask" } });
      const interrupts = [{ id: text, value: "Which?" }];
      const [plain] = (await client.threads.getState(id)).tasks;
      must(plain, having({ name: "child", interrupts, state: null, checkpoint: having({ checkpoint_ns: text }) }));
      const [child] = (await client.threads.getState(id, undefined, { subgraphs: true })).tasks;
      const inside = child?.state?.checkpoint;
      must(
        child?.state,
        having({
          values: { topic: "ask", items: [] },
          next: ["inner"],
          tasks: [having({ name: "inner", interrupts })],
        }),
        "the subgraph",
      );
      if (!inside) throw new Error("the subgraph has a checkpoint");
      must(
        inside.checkpoint_ns,
        is("the child's namespace", (at) => /^child:/.test(String(at))),
      );
      must((await client.threads.getState(id, inside)).next, ["inner"]);
      must(await client.runs.wait(id, "family", { command: { resume: "this" } }), {
        ...{ topic: "ask", items: ["inner this", "closed", "after"] },
      });
    },
  },
  {
    name: "threads.getHistory: newest first, in pages, by metadata, before a checkpoint",
    async run({ client: { runs, threads }, client }) {
      const id = await ranOn(client, "steps", { topic: "a" });
      const all = await threads.getHistory(id);
      const items = ({ values }: { values: unknown }) => (values as { items?: string[] }).items ?? [];
      must(all.map(items), [["first", "second"], ["first"], [], []]);
      must(
        all.map(({ next }) => next),
        [[], ["second"], ["first"], ["__start__"]],
      );
      must(all[0], state(id, { values: { topic: "a", items: ["first", "second"] } }));
      must(all[3], having({ parent_checkpoint: null, metadata: having({ source: "input", step: -1 }) }));
      must((await threads.getHistory(id, { limit: 2 })).length, 2, "page");
      const [, second] = all;
      if (!second?.checkpoint.checkpoint_id) throw new Error("a state has a checkpoint");
      const older = { limit: 1, before: { configurable: { checkpoint_id: second.checkpoint.checkpoint_id } } };
      must((await threads.getHistory(id, older)).map(items), [[]]);
      const inputs = await threads.getHistory(id, { metadata: { source: "input" } });
      must(inputs.length, 1, "states of source input");
      await runs.wait(id, "steps", { input: { topic: "b" } });
      must((await threads.getHistory(id)).length, 8, "states after a second run");
    },
  },
  {
    name: "threads.updateState: as a node, on an old checkpoint, and the thread shows it",
    async run({ client }) {
      const { threads } = client;
      const id = await ranOn(client, "steps", { topic: "a" });
      const written = await threads.updateState(id, { values: { items: ["by hand"] }, asNode: "first" });
      must(written, having({ checkpoint: checkpoint(id) }));
      const values = { topic: "a", items: ["first", "second", "by hand"] };
      const newest = state(id, {
        ...{ values, next: ["second"], tasks: [task("second")] },
        metadata: having({ source: "update", step: 3 }),
      });
      must(await threads.getState(id), newest);
      const shown = await threads.get(id);
      must([shown.status, shown.values], ["interrupted", values]);
      const [, , , fourth] = await threads.getHistory(id);
      const old = fourth?.checkpoint;
      if (!old) throw new Error("there are five states");
      await threads.updateState(id, { values: { topic: "fork" }, checkpoint: old, asNode: "__start__" });
      must(await client.runs.wait(id, "steps", { input: null }), { topic: "fork", items: ["first", "second"] });
    },
  },
  {
    name: "threads.updateState: refused on a busy thread, as an unknown node, without a graph",
    async run({ client }) {
      const { runs, threads } = client;
      const id = await newThread(client);
      await refused(threads.updateState(id, { values: {} }), 400, /graph/);
      const { run_id } = await runs.create(id, "ticks", { input: { count: 1, pace_ms: 20_000 } });
      await refused(threads.updateState(id, { values: {}, asNode: "tick" }), 409, /busy/);
      await runs.cancel(id, run_id, true);
      await refused(threads.updateState(id, { values: {}, asNode: "nowhere" }), 422, /nowhere/);
      await refused(threads.updateState(randomUUID(), { values: {} }), 404, /does not exist/);
    },
  },
  {
    name: "threads.patchState: metadata of the thread",
    async run({ client: { threads } }) {
      const { thread_id } = await threads.create({ metadata: { a: 1 } });
      await threads.patchState(thread_id, { b: 2 });
      must((await threads.get(thread_id)).metadata, { a: 1, b: 2 });
      await threads.patchState({ configurable: { thread_id } }, { b: 3 });
      must(await threads.get(thread_id), having({ thread_id: uuid, metadata: { a: 1, b: 3 } }));
    },
  },
];
