/** What a thread shows after runs that did not come to their end: a server on the real core, a worker played by the test. */
import { Annotation, END, interrupt, START, StateGraph } from "@langchain/langgraph";
import type { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Checkpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { Threads } from "../../app/data/threads.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { type Core, soon } from "../support/core.js";
import { type OnCore, startOnCore } from "./onCore.js";
import { post, type Started } from "./support.js";

const State = Annotation.Root({
  steps: Annotation<string[]>({
    reducer: (a, b) => {
      if (b.includes("wrong")) throw new Error("no step is wrong");
      return a.concat(b);
    },
    default: () => [],
  }),
});
const asking = new StateGraph(State)
  .addNode("first", () => ({ steps: ["first"] }))
  .addNode("ask", () => ({ steps: [String(interrupt("go on?"))] }))
  .addEdge(START, "first")
  .addEdge("first", "ask")
  .addEdge("ask", END)
  .compile();

let core: Core;
let saver: Checkpointer;
let at: Started;
let client: Client;
let stop: OnCore["stop"];
beforeAll(async () => {
  ({ core, saver, at, client, stop } = await startOnCore({ echo: asking }));
});
let threadId: string;
beforeEach(async () => {
  await core.admin.flushall();
  threadId = (await client.threads.create()).thread_id;
});
afterAll(() => stop());

/** A run whose worker has stored checkpoints, and then says nothing more. */
async function silentRun(leaseMs = 30_000): Promise<ClaimedRun> {
  await client.runs.create(threadId, "echo", { input: { steps: ["start"] } });
  const run = await core.claim(threadId, leaseMs);
  await work(run, { steps: ["start"] });
  return run;
}

async function work(run: ClaimedRun, input: unknown): Promise<void> {
  const graph = Object.assign(Object.create(asking), { checkpointer: saver }) as typeof asking;
  await graph.invoke(input as { steps: string[] }, { configurable: { thread_id: threadId, ...writtenBy(run) } });
}

const QUESTION = expect.objectContaining({ value: "go on?" });
const AT_THE_QUESTION = { values: { steps: ["start", "first"] }, status: "interrupted" };
const questions = (interrupts: object) => Object.values(interrupts).flat();

test("a thread whose last input was refused by a reducer still tells its state, as its history does", async () => {
  const first = await silentRun();
  expect((await post(`${at.url}/threads/${threadId}/runs/${first.runId}/cancel?wait=1`)).status).toBe(204);
  await client.runs.create(threadId, "echo", { input: { steps: ["wrong"] } });
  await expect(work(await core.claim(threadId, 30_000), { steps: ["wrong"] })).rejects.toThrow("no step is wrong");
  const state = await client.threads.getState(threadId);
  expect(state).toMatchObject({ values: { steps: ["start", "first"] }, next: [START] });
  expect(state).toEqual((await client.threads.getHistory(threadId))[0]);
});

describe("a thread whose run was ended for its owner", () => {
  test("shows the state that the run had reached, once it was overruled", async () => {
    const run = await silentRun();
    expect((await post(`${at.url}/threads/${threadId}/runs/${run.runId}/cancel?wait=1`)).status).toBe(204);
    const thread = await client.threads.get(threadId);
    expect(thread).toMatchObject(AT_THE_QUESTION);
    expect(questions(thread.interrupts)).toEqual([QUESTION]);
    // It was written down: nobody reads the checkpoints again.
    expect(await core.redis.hget(core.keys.of(threadId, "thread", threadId), "stale")).toBeNull();
    expect(await client.threads.get(threadId)).toMatchObject(AT_THE_QUESTION);
  });

  test("that was lost once too often shows it as well, and stays in error", async () => {
    await silentRun(1);
    await soon(async () => {
      await core.sweep({ maxFailures: 1 });
      expect(await client.threads.get(threadId)).toMatchObject({ ...AT_THE_QUESTION, status: "error" });
    });
  });

  test("that was cancelled while it waited for another worker shows it as well", async () => {
    const run = await silentRun();
    await core.attempts.release(run);
    await client.runs.cancel(threadId, run.runId);
    const created = await client.threads.create({ threadId, ifExists: "do_nothing" });
    expect(created).toMatchObject(AT_THE_QUESTION);
  });

  test("is not given values that a later run has overtaken", async () => {
    const run = await silentRun();
    await core.attempts.release(run);
    await client.runs.cancel(threadId, run.runId);
    const threads = new Threads(core.redis, core.keys);
    const read = (await threads.get(threadId)) ?? expect.fail();
    const old = { valuesJson: '{"steps":["old"]}', interruptsJson: "{}", status: "idle" } as const;

    await client.runs.create(threadId, "echo", { input: { steps: ["again"] } });
    const next = await core.claim(threadId);
    await threads.refresh(read, old);
    const state = { values: '{"steps":["new"]}', interrupts: "{}" };
    await core.attempts.finish(next, { status: "success", threadStatus: "idle", answer: "{}", state }, 1, []);
    await threads.refresh(read, old);
    expect(await client.threads.get(threadId)).toMatchObject({ values: { steps: ["new"] }, status: "idle" });
  });
});

describe("rollback over HTTP", () => {
  const cancel = (runId: string, query: string) =>
    post(`${at.url}/threads/${threadId}/runs/${runId}/cancel?action=rollback${query}`);

  test.each(["running", "pending", "delayed"])(
    "with wait answers when a %s run is gone, as if it never was",
    async (state) => {
      const before = await client.threads.get(threadId);
      const { run_id } = await client.runs.create(threadId, "echo", {
        input: { steps: ["start"] },
        ...(state === "delayed" && { afterSeconds: 60 }),
      });
      if (state === "running") await work(await core.claim(threadId), { steps: ["start"] });
      expect((await cancel(run_id, "&wait=1")).status).toBe(204);
      expect((await fetch(`${at.url}/threads/${threadId}/runs/${run_id}`)).status).toBe(404);
      const { values, status, interrupts } = before;
      expect(await client.threads.get(threadId)).toMatchObject({ values, status, interrupts });
      expect(await client.threads.getHistory(threadId)).toEqual([]);
      expect((await cancel(run_id, "")).status).toBe(404);
    },
  );

  test("without wait answers at once; what has ended is 409 and stays", async () => {
    const run = await silentRun();
    expect((await cancel(run.runId, "")).status).toBe(202);
    expect((await fetch(`${at.url}/threads/${threadId}/runs/${run.runId}`)).status).toBe(404);
    await soon(async () => expect(await client.threads.getHistory(threadId)).toEqual([]));

    const other = await client.runs.create(threadId, "echo", { input: { steps: [] } });
    await client.runs.cancel(threadId, other.run_id);
    expect((await cancel(other.run_id, "")).status).toBe(409);
    expect(await client.runs.get(threadId, other.run_id)).toMatchObject({ status: "interrupted" });
  });

  test("of a run that others follow ends their streams and their waits", async () => {
    const run = await silentRun();
    const waiting = client.runs.join(threadId, run.runId);
    const stream = await fetch(`${at.url}/threads/${threadId}/runs/${run.runId}/stream`);
    expect((await cancel(run.runId, "&wait=1")).status).toBe(204);
    expect(await stream.text()).toMatch(/event: end\n/);
    expect(await waiting).toEqual({});
  });
});

describe("deleting over HTTP", () => {
  test("a run: 204, then 404; the thread shows what was before it", async () => {
    const run = await silentRun();
    const state = { values: '{"steps":["start","first"]}', interrupts: "{}" };
    await core.attempts.finish(run, { status: "success", threadStatus: "interrupted", answer: "{}", state }, 1, []);
    const { run_id } = await client.runs.create(threadId, "echo", { input: { steps: ["more"] } });
    const second = await core.claim(threadId);
    await work(second, { steps: ["more"] });
    await core.attempts.finish(second, { status: "success", threadStatus: "interrupted", answer: "{}" }, 1, []);
    await client.runs.delete(threadId, run_id);
    await expect(client.runs.delete(threadId, run_id)).rejects.toMatchObject({ status: 404 });
    expect(await client.threads.get(threadId)).toMatchObject(AT_THE_QUESTION);
    expect(await client.threads.getState(threadId)).toMatchObject({ next: ["ask"] });
  });

  test("a thread that a stream follows: the stream ends cleanly, and nothing comes back", async () => {
    const run = await silentRun();
    const stream = await fetch(`${at.url}/threads/${threadId}/runs/${run.runId}/stream`);
    const deleted = await fetch(`${at.url}/threads/${threadId}`, { method: "DELETE" });
    expect(deleted.status).toBe(204);
    expect(await stream.text()).toMatch(/event: end\n/);
    await expect(work(run, { steps: ["too late"] })).rejects.toThrow();
    await core.sweep();
    const left = await core.admin.keys("*");
    expect(left.filter((key) => key.includes(threadId) || key.includes(run.runId))).toEqual([]);
    await expect(client.threads.get(threadId)).rejects.toMatchObject({ status: 404 });
  });
});
