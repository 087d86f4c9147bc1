/** `client.threads` of the JavaScript SDK: threads themselves. Their states are in `threadStates.ts`. */
import { randomUUID } from "node:crypto";
import type { Case } from "../cases.js";
import { having, must, object, text, time, uuid } from "../shape.js";
import { idOf, newThread, ranOn, refused, run, state, thread } from "./support.js";

export const threadCases: Case[] = [
  {
    name: "threads.create, get, delete: every field given comes back; an id that is taken is refused or taken over",
    async run({ client: { threads } }) {
      const threadId = randomUUID();
      const wanted = thread({ thread_id: threadId, metadata: { team: "a", graph_id: "steps" } });
      must(await threads.create({ threadId, metadata: { team: "a" }, graphId: "steps" }), wanted);
      must(await threads.get(threadId), wanted);
      await refused(threads.create({ threadId }), 409, /exists/);
      must(await threads.create({ threadId, ifExists: "do_nothing", metadata: { team: "b" } }), wanted);
      must(await threads.delete(threadId), undefined);
      await refused(threads.get(threadId), 404, /does not exist/);
      await refused(threads.delete(threadId), 404, /does not exist/);
    },
  },
  {
    name: "threads.create with ttl, get with include=ttl",
    async run({ client: { threads } }) {
      const { thread_id: minutes } = await threads.create({ ttl: 30 });
      const told = (strategy: string, ttl_minutes: number) => ({ strategy, ttl_minutes, expires_at: time });
      must(await threads.get(minutes, { include: ["ttl"] }), thread({ ttl: told("delete", 30) }));
      const { thread_id } = await threads.create({ ttl: { ttl: 5, strategy: "keep_latest" } as never });
      must(await threads.get(thread_id, { include: ["ttl"] }), thread({ ttl: told("keep_latest", 5) }));
    },
  },
  {
    name: "threads.create with supersteps: the state that they lead to, and its history",
    async run({ client: { threads } }) {
      const { thread_id: id } = await threads.create({
        graphId: "steps",
        supersteps: [
          { updates: [{ values: { topic: "trains" }, asNode: "__start__" }] },
          { updates: [{ values: { items: ["one"] }, asNode: "first" }] },
        ],
      });
      const values = { topic: "trains", items: ["one"] };
      must(await threads.getState(id), state(id, { values, next: ["second"], tasks: [having({ name: "second" })] }));
      must(
        (await threads.getHistory<{ items?: string[] }>(id)).map(({ values }) => values.items),
        [["one"], []],
      );
      must((await threads.get(id)).values, values);
    },
  },
  {
    name: "threads.update: metadata is merged, ttl replaced; an answer without a body on demand",
    async run({ client: { threads } }) {
      const { thread_id: id } = await threads.create({ metadata: { a: 1, b: { c: 1 } } });
      must(await threads.update(id, { metadata: { b: 2, d: [] } }), thread({ metadata: { a: 1, b: 2, d: [] } }));
      must(await threads.update(id, { metadata: { e: 5 }, ttl: 10, returnMinimal: true }), undefined);
      must(
        await threads.get(id, { include: ["ttl"] }),
        thread({
          metadata: { a: 1, b: 2, d: [], e: 5 },
          ttl: { strategy: "delete", ttl_minutes: 10, expires_at: time },
        }),
      );
      await refused(threads.update(randomUUID(), { metadata: {} }), 404, /does not exist/);
    },
  },
  {
    name: "threads.search, count: by metadata, values, status and ids; sorted, in pages, with chosen and extracted fields",
    async run({ client }) {
      const { threads } = client;
      const lot = randomUUID();
      const metadata = { lot };
      const ids: string[] = [];
      for (const topic of ["elm", "ash"]) {
        const { thread_id } = await threads.create({ metadata });
        await client.runs.wait(thread_id, "steps", { input: { topic } });
        ids.push(thread_id);
      }
      const { thread_id: asked } = await threads.create({ metadata });
      await client.runs.wait(asked, "asks", { input: { topic: "go" } });
      const [elm = "", ash = ""] = ids;
      const search = async (query: Parameters<typeof threads.search>[0]) =>
        (await threads.search({ metadata, ...query })).map(({ thread_id }) => thread_id);

      must(await search({}), [asked, ash, elm]);
      must(await search({ sortBy: "created_at", sortOrder: "asc" }), [elm, ash, asked]);
      must(await search({ sortBy: "thread_id", sortOrder: "asc" }), [elm, ash, asked].sort());
      must(await search({ sortBy: "state_updated_at", sortOrder: "desc", limit: 1, offset: 1 }), [ash]);
      must(await search({ status: "interrupted" }), [asked]);
      must(await search({ status: "idle", sortBy: "status" }).then((some) => some.sort()), [elm, ash].sort());
      must(await search({ values: { topic: "ash" } }), [ash]);
      must(await search({ ids: [elm, randomUUID()] }), [elm]);
      const values = { topic: "elm", items: ["first", "second"] };
      must(await threads.search({ ids: [elm] }), [
        thread({ thread_id: elm, metadata: { lot, graph_id: "steps", assistant_id: idOf("steps") }, values }),
      ]);
      must(await threads.search({ ids: [elm], select: ["thread_id", "values"] }), [{ thread_id: elm, values }]);
      must(
        await threads.search({
          ...{ ids: [elm], select: ["thread_id"] },
          extract: { last: "values.items[-1]", topic: "values.topic", lot: "metadata.lot" },
        }),
        [{ thread_id: elm, extracted: { last: "second", topic: "elm", lot } }],
      );
      must(await threads.count({ metadata }), 3);
      must(await threads.count({ metadata, status: "idle" }), 2);
      must(await threads.count({ metadata, values: { topic: "go" } }), 1);
    },
  },
  {
    name: "threads.copy: the copy has the state and the history, and goes its own way",
    async run({ client }) {
      const { threads } = client;
      const source = await ranOn(client, "steps", { topic: "trains" });
      // The SDK's type says Thread; older ones said nothing.
      const copied = await threads.copy(source);
      const values = { topic: "trains", items: ["first", "second"] };
      const metadata = having({ graph_id: "steps", assistant_id: idOf("steps") });
      must(copied, thread({ metadata, values }));
      const copy = copied.thread_id;
      must(copy === source, false, "the copy has the source's id");
      must(await threads.get(copy), thread({ thread_id: copy, metadata, values }));
      must(await threads.getState(copy), state(copy, { values }));
      const stepsOf = async (id: string) => (await threads.getHistory(id)).map(({ metadata }) => metadata?.step);
      must(await stepsOf(copy), await stepsOf(source));
      await client.runs.wait(copy, "steps", { input: { topic: "ships" } });
      must((await threads.getState(source)).values, values);
      must(await client.runs.list(copy), [run("steps", { status: "success", thread_id: copy })]);
      await threads.delete(source);
      must((await threads.getState(copy)).values, having({ topic: "ships" }));
      await refused(threads.copy(randomUUID()), 409, /does not exist/);
    },
  },
  {
    name: "threads.prune: deletes, or keeps the latest state alone",
    async run({ client }) {
      const { threads } = client;
      const kept = await ranOn(client, "steps", { topic: "a" });
      must((await threads.getHistory(kept)).length, 4, "checkpoints");
      must(await threads.prune([kept], { strategy: "keep_latest" }), { pruned_count: 1 });
      const values = { topic: "a", items: ["first", "second"] };
      must(
        (await threads.getHistory(kept)).map((each) => each.values),
        [values],
      );
      const [gone, other] = [await newThread(client), await newThread(client)];
      must(await threads.prune([gone, other, randomUUID()]), { pruned_count: 2 });
      await refused(threads.get(gone), 404, /does not exist/);
    },
  },
  {
    name: "threads.get after a run: values, status and open interrupts",
    async run({ client }) {
      const id = await ranOn(client, "asks", { topic: "go" });
      const told = await client.threads.get(id);
      const question = { id: text, value: { question: "May I go?" } };
      must(told.status, "interrupted");
      must(Object.values(told.interrupts), [[question]]);
      must(told.values, having({ topic: "go" }));
      must(told.metadata, { graph_id: "asks", assistant_id: idOf("asks") });
      const failed = await newThread(client);
      await client.runs.wait(failed, "fails", { input: { topic: "x" }, raiseError: false });
      const error = await client.threads.get(failed);
      must([error.status, error.values], ["error", { topic: "x", items: ["first"] }]);
      must(error, having({ thread_id: uuid, metadata: object }));
    },
  },
];
