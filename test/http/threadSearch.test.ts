/** Threads found, counted and changed through a server on the real core, a worker played by the test. */
import { randomUUID } from "node:crypto";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import type { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Checkpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { Threads } from "../../app/data/threads.js";
import { ThreadShape } from "../../app/http/shapes.js";
import { type Core, newRun, success } from "../support/core.js";
import { type OnCore, startOnCore } from "./onCore.js";
import { detailOf, post, type Started } from "./support.js";

const State = Annotation.Root({ steps: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }) });
const stepping = new StateGraph(State)
  .addNode("step", () => ({ steps: ["first"] }))
  .addEdge(START, "step")
  .addEdge("step", END)
  .compile();

let core: Core;
let saver: Checkpointer;
let at: Started;
let client: Client;
let stop: OnCore["stop"];
beforeAll(async () => {
  ({ core, saver, at, client, stop } = await startOnCore({ echo: stepping }));
});
beforeEach(() => core.admin.flushall());
afterAll(() => stop());

const search = (body: unknown) => post(`${at.url}/threads/search`, body);
async function found(body: unknown): Promise<string[]> {
  const response = await search(body);
  const threads = z.array(ThreadShape.partial()).parse(await response.json());
  return threads.map(({ thread_id = "" }) => thread_id);
}
const create = async (metadata: Record<string, unknown> = {}) => (await client.threads.create({ metadata })).thread_id;

const PROTOTYPE = (field: string) => `body.${field}: must not hold the key __proto__`;

/** A run on the thread that ended with these values. */
async function ran(threadId: string, values: unknown, status: "idle" | "interrupted" | "error" = "idle") {
  await core.runs.enqueue(newRun({ threadId }));
  const state = { values: JSON.stringify(values), interrupts: "{}" };
  await core.attempts.finish(await core.claim(threadId), { ...success, threadStatus: status, state }, 1, []);
}

async function patch(path: string, body: unknown, headers: Record<string, string> = {}) {
  return await fetch(`${at.url}${path}`, {
    method: "PATCH",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

describe("a search", () => {
  test("without anything answers the ten that changed last, and where the next page begins", async () => {
    const threads: string[] = [];
    for (let made = 0; made < 12; made++) threads.unshift(await create());
    const first = await search({});
    expect(
      z
        .array(ThreadShape)
        .parse(await first.json())
        .map(({ thread_id }) => thread_id),
    ).toEqual(await found({ limit: 10, sort_by: "updated_at", sort_order: "desc" }));
    expect([first.headers.get("x-pagination-total"), first.headers.get("x-pagination-next")]).toEqual(["12", "10"]);
    const second = await search({ offset: 10 });
    expect([second.headers.get("x-pagination-total"), second.headers.get("x-pagination-next")]).toEqual(["12", null]);
    const all = await found({ limit: 12 });
    expect([...all].sort()).toEqual([...threads].sort());
    expect(await found({ offset: 10 })).toEqual(all.slice(10));
    await patch(`/threads/${threads[11]}`, { metadata: { touched: true } });
    expect((await found({}))[0]).toBe(threads[11]);
  });

  test("finds by metadata, status and ids, which all must match", async () => {
    const [red, blue, deep] = [
      await create({ team: "red", n: 1 }),
      await create({ team: "blue", n: 1 }),
      await create(),
    ];
    await client.threads.update(deep, { metadata: { of: { team: "red", list: [{ a: 1, b: 2 }] }, n: "1" } });
    await ran(blue, {}, "interrupted");
    expect(await found({ metadata: { team: "red" } })).toEqual([red]);
    expect(await found({ metadata: { n: 1 }, sort_by: "created_at", sort_order: "asc" })).toEqual([red, blue]);
    expect(await found({ metadata: { n: 1 }, status: "interrupted" })).toEqual([blue]);
    expect(await found({ metadata: { graph_id: "echo" } })).toEqual([blue]);
    expect(await found({ metadata: { of: { team: "red" } } })).toEqual([deep]);
    expect(await found({ metadata: { of: { list: [{ b: 2 }] }, n: "1" } })).toEqual([deep]);
    expect(await found({ metadata: { of: { list: [] }, n: 1 } })).toEqual([]);
    expect(await found({ ids: [deep, randomUUID(), red], sort_by: "created_at" })).toEqual([deep, red]);
    expect(await found({ ids: [deep, red], metadata: { team: "red" } })).toEqual([red]);
    expect(await found({ ids: [] })).toEqual([]);
    expect(await found({ metadata: {}, values: {}, status: null, ids: null })).toHaveLength(3);
    expect(await client.threads.search({ metadata: { team: "red" } })).toMatchObject([{ thread_id: red }]);
  });

  test("finds by values of the state", async () => {
    const threads = [await create(), await create({ team: "red" }), await create()];
    for (const [index, threadId] of threads.entries())
      await ran(threadId, { steps: ["a", index], of: { n: index === 0 ? null : index } });
    expect(await found({ values: { of: { n: 1 } } })).toEqual([threads[1]]);
    expect(await found({ values: { of: { n: null } } })).toEqual([threads[0]]);
    expect(await found({ values: { steps: [2] }, status: "idle" })).toEqual([threads[2]]);
    const page = await search({ values: { steps: ["a"] }, limit: 2, sort_by: "thread_id", sort_order: "asc" });
    expect([page.headers.get("x-pagination-total"), page.headers.get("x-pagination-next")]).toEqual(["3", "2"]);
    expect(await client.threads.count({ values: { steps: ["a"] } })).toBe(3);
    expect(await client.threads.count({ values: { steps: ["a"] }, metadata: { team: "red" } })).toBe(1);
  });

  test("answers the fields that are asked for, and what paths lead to", async () => {
    const threadId = await create({ "user name": "Ada" });
    await ran(threadId, { messages: [{ content: "hi" }, { content: "bye", n: 1 }] });
    const [only] = await client.threads.search({ select: ["thread_id", "status"] });
    expect(only).toEqual({ thread_id: threadId, status: "idle" });
    const extract = {
      last: "values.messages[-1].content",
      first: "values.messages[0]",
      all: "values",
      user: "metadata.user name",
      beyond: "values.messages[7].content",
      inherited: "values.messages.length",
      constructor: "values.constructor",
    };
    const [thread] = await client.threads.search({ select: ["thread_id"], extract });
    expect(thread).toEqual({
      thread_id: threadId,
      extracted: {
        last: "bye",
        first: { content: "hi" },
        all: { messages: [{ content: "hi" }, { content: "bye", n: 1 }] },
        user: "Ada",
        beyond: null,
        inherited: null,
        constructor: null,
      },
    });
  });

  test("tells the state that a run had reached which was ended for its owner, and once", async () => {
    const threadId = await create();
    await core.runs.enqueue(newRun({ threadId }));
    const run = await core.claim(threadId);
    const graph = Object.assign(Object.create(stepping), { checkpointer: saver }) as typeof stepping;
    await graph.invoke({ steps: ["start"] }, { configurable: { thread_id: threadId, ...writtenBy(run) } });
    await post(`${at.url}/threads/${threadId}/runs/${run.runId}/cancel?wait=1`);
    expect(await client.threads.search({ select: ["thread_id"] })).toEqual([{ thread_id: threadId }]);
    expect(await core.admin.hget(core.keys.of(threadId, "thread", threadId), "stale")).toBe("1");
    const [thread] = await client.threads.search();
    expect(thread).toMatchObject({ values: { steps: ["start", "first"] }, status: "idle" });
    expect(await core.admin.hget(core.keys.of(threadId, "thread", threadId), "stale")).toBeNull();
    expect(await found({ status: "idle" })).toEqual([threadId]);
  });

  test("answers states up to 64 MiB together, however few threads have them", async () => {
    for (let made = 0; made < 5; made++)
      await ran(await create({ large: true }), { text: "x".repeat(14 * 1024 * 1024) });
    const ids = await found({ metadata: { large: true }, select: ["thread_id"] });
    for (const body of [{ metadata: { large: true } }, { ids }]) {
      const refused = await search(body);
      expect([refused.status, await detailOf(refused)]).toEqual([
        422,
        expect.stringContaining("more than 64 MiB together"),
      ]);
    }
    for (const filter of [{ metadata: { large: true } }, { ids }, { metadata: { large: true }, values: {} }])
      expect(await found({ ...filter, limit: 1 })).toHaveLength(1);
  });

  test("checks values of 1,000 threads, and no more", async () => {
    const threads = new Threads(core.redis, core.keys);
    const made = Array.from({ length: 1_001 }, (_, at) => ({
      threadId: randomUUID(),
      metadata: { half: at % 2, of: [at] },
    }));
    for (let from = 0; from < made.length; from += 100)
      await Promise.all(made.slice(from, from + 100).map((thread) => threads.create(thread)));
    const sentence = /^body: 1001 threads are left to look at one by one .* at most 1000 are: add a status/;
    for (const [path, body] of [
      ["search", { values: { a: 1 } }],
      ["count", { metadata: { of: [3] } }],
    ] as const) {
      const refused = await post(`${at.url}/threads/${path}`, body);
      expect([refused.status, await detailOf(refused)]).toEqual([422, expect.stringMatching(sentence)]);
    }
    expect(await client.threads.count({ metadata: { of: [3], half: 1 } })).toBe(1);
    // A page that is full before that is answered, without a total.
    const page = await search({ metadata: { of: [] }, limit: 5, select: ["metadata"] });
    expect(await page.json()).toHaveLength(5);
    expect([page.headers.get("x-pagination-total"), page.headers.get("x-pagination-next")]).toEqual([null, "5"]);
  });

  test.each([
    ["a limit of nothing", { limit: 0 }, "body.limit: must be at least 1"],
    ["too large a page", { limit: 1_001 }, "body.limit: must be at most 1000"],
    ["a negative offset", { offset: -1 }, "body.offset: must be at least 0"],
    ["an unknown order", { sort_by: "name" }, /^body\.sort_by: must be one of thread_id, status, created_at/],
    ["an unknown direction", { sort_order: "up" }, "body.sort_order: must be one of asc, desc"],
    ["an unknown status", { status: "done" }, /^body\.status: must be one of idle, busy, interrupted, error/],
    ["an unknown field", { select: ["ttl"] }, /^body\.select\.0: must be one of thread_id, /],
    ["ids that are none", { ids: ["a"] }, "body.ids.0: must be a uuid"],
    ["a path elsewhere", { extract: { a: "created_at" } }, /^body\.extract\.a: must be a path that begins with values/],
    ["a path of no form", { extract: { a: "values.b[x]" } }, /^body\.extract\.a: must be a path/],
    [
      "eleven paths",
      { extract: Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`p${at}`, "values"])) },
      "body.extract: must hold at most 10 paths",
    ],
    // Left out, it would be a search for all threads.
    [
      "a key of metadata that JSON has and objects don't",
      JSON.parse('{"metadata":{"__proto__":1}}'),
      PROTOTYPE("metadata"),
    ],
    ["such a key of values", JSON.parse('{"values":{"__proto__":1}}'), PROTOTYPE("values")],
    ["metadata that is none", { metadata: [] }, "body.metadata: must be an object"],
    ["values that are none", { values: "x" }, "body.values: must be an object"],
    [
      "more metadata than there can be",
      { metadata: Object.fromEntries(Array.from({ length: 501 }, (_, at) => [`k${at}`, 1])) },
      "body.metadata: must hold at most 500 keys",
    ],
  ])("is refused with %s", async (_name, body, detail) => {
    const response = await search(body);
    const expected = typeof detail === "string" ? detail : expect.stringMatching(detail);
    expect([response.status, await detailOf(response)]).toEqual([422, expected]);
  });
});

const TTL = "minutes, more than 0 and at most 5256000, or {ttl: minutes, strategy: delete or keep_latest}";

describe("a thread is changed", () => {
  test("in its metadata, key by key; all else stays as it was written", async () => {
    const threadId = await create({ a: 1, b: { c: [] }, empty: [] });
    const changed = await client.threads.update(threadId, { metadata: { a: null, b: { d: {} }, new: "x" } });
    expect(changed.metadata).toEqual({ a: null, b: { d: {} }, empty: [], new: "x" });
    expect(await client.threads.get(threadId)).toEqual(changed);
    await client.threads.patchState(threadId, { old: true });
    expect((await client.threads.get(threadId)).metadata).toEqual({ ...changed.metadata, old: true });
    expect((await patch(`/threads/${threadId}`, {})).status).toBe(200);
  });

  test("by many at once, of whom none is lost", async () => {
    const threadId = await create();
    const keys = Array.from({ length: 30 }, (_, at) => `k${at}`);
    await Promise.all(keys.map((key) => client.threads.update(threadId, { metadata: { [key]: key } })));
    expect((await client.threads.get(threadId)).metadata).toEqual(Object.fromEntries(keys.map((key) => [key, key])));
  });

  test("in its ttl: an object, or the minutes alone", async () => {
    const threadId = await create();
    await client.threads.update(threadId, { ttl: 5 });
    const ttlOf = async () => (await client.threads.get(threadId, { include: ["ttl"] })) as unknown;
    expect(await ttlOf()).toMatchObject({ ttl: { ttl_minutes: 5, strategy: "delete" } });
    await patch(`/threads/${threadId}`, { ttl: { ttl: 7, strategy: "keep_latest" } });
    expect(await ttlOf()).toMatchObject({ ttl: { ttl_minutes: 7, strategy: "keep_latest" } });
    await patch(`/threads/${threadId}`, { ttl: 1 });
    expect(await ttlOf()).toMatchObject({ ttl: { ttl_minutes: 1, strategy: "delete" } });
    const due = await core.admin.zscore(core.keys.of(threadId, "expiring"), threadId);
    expect(Number(due) - Date.now()).toBeLessThanOrEqual(60_000);
  });

  test("without an answer, where that is preferred", async () => {
    const threadId = await create();
    const answer = await patch(`/threads/${threadId}`, { metadata: { a: 1 } }, { prefer: "return=minimal" });
    expect([answer.status, await answer.text()]).toEqual([204, ""]);
    await client.threads.update(threadId, { metadata: { b: 2 }, returnMinimal: true });
    expect((await client.threads.get(threadId)).metadata).toEqual({ a: 1, b: 2 });
    expect((await patch(`/threads/${threadId}`, {}, { prefer: "return=representation" })).status).toBe(200);
  });

  test("and is refused with what is wrong, unchanged", async () => {
    const threadId = await create({ a: 1 });
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`k${at}`, at]));
    for (const [body, detail] of [
      [{ metadata: "x" }, "body.metadata: must be an object"],
      [{ metadata: many }, "body.metadata: the thread's must hold at most 500 keys"],
      [{ ttl: { ttl: 0 } }, `body.ttl: must be ${TTL}`],
      [{ ttl: -1 }, `body.ttl: must be ${TTL}`],
      [{ ttl: "soon" }, `body.ttl: must be ${TTL}`],
    ] as const) {
      const refused = await patch(`/threads/${threadId}`, body);
      expect([refused.status, await detailOf(refused)]).toEqual([422, detail]);
    }
    expect(await client.threads.get(threadId)).toMatchObject({ metadata: { a: 1 } });
    const id = randomUUID();
    for (const path of [`/threads/${id}`, `/threads/${id}/state`]) {
      const missing = await patch(path, { metadata: { a: 1 } });
      expect([missing.status, await detailOf(missing)]).toEqual([404, `thread ${id} does not exist`]);
    }
    expect((await patch(`/threads/${id}`, {})).status).toBe(404);
    expect(await client.threads.count()).toBe(1);
  });
});
