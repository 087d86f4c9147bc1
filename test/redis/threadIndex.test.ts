/** The index of threads is what the threads are, whatever is done to them. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Copies } from "../../app/data/copies.js";
import { ThreadSearch } from "../../app/data/threads/search.js";
import { Threads } from "../../app/data/threads.js";
import { type Core, newRun, startCore, success } from "../support/core.js";
import { threadIndexes } from "../support/threadIndex.js";

let core: Core;
let threads: Threads;
let search: ThreadSearch;
beforeAll(async () => {
  core = await startCore();
  threads = new Threads(core.redis, core.keys);
  search = new ThreadSearch(core.redis, core.keys);
});
afterAll(() => core.stop());

const create = async (metadata: Record<string, unknown> = {}) => {
  const { thread } = await threads.create({ threadId: uuid(), metadata });
  return thread.threadId;
};
const page = { sortBy: "updated_at", sortOrder: "desc", offset: 0, limit: 1_000 } as const;
const ids = async (filter: Parameters<ThreadSearch["find"]>[0]) =>
  (await search.find(filter, page, { withState: false })).threads.map(({ threadId }) => threadId);

async function expectIndexed(): Promise<void> {
  const { held, expected } = await threadIndexes(core.admin);
  expect(held).toEqual(expected);
}

describe("the index", () => {
  test("follows a thread through its runs, its changes and its end", async () => {
    const threadId = await create({ team: "red", level: 3, draft: null, done: false, tags: ["a"], of: { x: 1 } });
    await expectIndexed();
    expect(await ids({ metadata: { team: "red", level: 3, draft: null, done: false } })).toEqual([threadId]);

    const run = newRun({ threadId });
    await core.runs.enqueue(run);
    await expectIndexed();
    expect(await ids({ status: "busy" })).toEqual([threadId]);
    expect(await ids({ metadata: { graph_id: "echo", assistant_id: run.assistantId } })).toEqual([threadId]);

    await core.attempts.finish(await core.claim(threadId), success, 1, []);
    await expectIndexed();
    expect(await ids({ status: "busy" })).toEqual([]);
    expect(await ids({ status: "idle", metadata: { team: "red" } })).toEqual([threadId]);

    await threads.change(threadId, { metadata: { team: "blue", level: null } });
    await expectIndexed();
    expect(await ids({ metadata: { team: "red" } })).toEqual([]);
    expect(await ids({ metadata: { team: "blue", level: null } })).toEqual([threadId]);

    await core.removals.deleteThread(threadId);
    await expectIndexed();
    expect(await core.admin.keys("*threads:*")).toEqual([]);
  });

  test("takes a thread's graph back with the run that brought it", async () => {
    const threadId = await create({ graph_id: "mine" });
    expect(await ids({ metadata: { graph_id: "mine" } })).toEqual([threadId]);
    const run = newRun({ threadId });
    await core.runs.enqueue(run);
    expect(await ids({ metadata: { graph_id: "mine" } })).toEqual([]);
    await core.runs.cancel(threadId, run.runId, "rollback");
    await expectIndexed();
    expect(await ids({ metadata: { graph_id: "mine" } })).toEqual([threadId]);
    await core.removals.deleteThread(threadId);
  });

  test("has a copy as soon as there is one", async () => {
    const threadId = await create({ team: "red" });
    const copy = await new Copies(core).copy(threadId);
    await expectIndexed();
    expect((await ids({ metadata: { team: "red" } })).sort()).toEqual([threadId, copy].sort());
    for (const id of [threadId, copy ?? ""]) await core.removals.deleteThread(id);
  });

  test("leaves out the thread of a stateless run that leaves nothing, and has that of one that keeps it", async () => {
    const gone = newRun({ lifetime: "delete" });
    const kept = newRun({ lifetime: "keep" });
    for (const run of [gone, kept]) await core.runs.enqueue({ ...run, threadId: run.runId });
    await expectIndexed();
    expect(await ids({ status: "busy" })).toEqual([kept.runId]);
    for (const { runId } of [gone, kept]) await core.removals.deleteThread(runId);
  });

  test("holds any text and number, half of a surrogate pair too", async () => {
    const odd = { "": "", "a\0b": "\0", half: "\ud83d", pair: "😀", tenth: 0.1, large: 2 ** 60, least: -5e-324 };
    const threadId = await create({ ...odd, text: '\\ud83d "quoted" \n' });
    for (const [name, value] of Object.entries(odd))
      expect(await ids({ metadata: { [name]: value } }), name).toEqual([threadId]);
    await threads.change(threadId, { metadata: { half: "whole" } });
    await expectIndexed();
    expect(await ids({ metadata: { text: '\\ud83d "quoted" \n' } })).toEqual([threadId]);
    expect(await ids({ metadata: { tenth: 0.2 } })).toEqual([]);
    await core.removals.deleteThread(threadId);
  });
});
