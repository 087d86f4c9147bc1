/** A client of a real core that resumes, also where nothing is left to resume from. */
import { randomUUID } from "node:crypto";
import { Annotation, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Threads } from "../../app/data/threads.js";
import type { Graph } from "../../app/graphs/load.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { type Core, newRun, startCore, success } from "../support/core.js";
import { detailOf, type Started, startServer } from "./support.js";

const State = Annotation.Root({ steps: Annotation<number> });
const counting = new StateGraph(State)
  .addNode("count", ({ steps }) => ({ steps: steps + 1 }))
  .addEdge(START, "count")
  .addEdge("count", END);

const saver = new MemorySaver();
let core: Core;
let at: Started;
beforeAll(async () => {
  core = await startCore();
  at = await startServer({
    core: { runs: core.runs, threads: new Threads(core.redis, core.keys), redis: core.redis },
    graphs: { echo: counting.compile() as unknown as Graph },
    checkpointer: saver,
  });
});
afterAll(async () => {
  await at.close();
  await core.stop();
});

/** A run of `echo` with three events, claimed. */
async function begun(given: Parameters<typeof newRun>[0] = {}) {
  const run = newRun(given);
  await core.runs.enqueue(run);
  const claimed = await core.claim(run.threadId);
  await core.attempts.append(claimed, 1, [
    { event: "custom", data: "1" },
    { event: "values", data: '{"steps":5}' },
    { event: "custom", data: "3" },
  ]);
  return { run, claimed };
}

async function threadOfSixSteps(): Promise<string> {
  const thread_id = uuid();
  await counting.compile({ checkpointer: saver }).invoke({ steps: 5 }, { configurable: { thread_id } });
  return thread_id;
}

const resume = (path: string, lastEventId: string) =>
  fetch(`${at.url}${path}`, { headers: { "last-event-id": lastEventId } });

async function eventsOf(response: Response): Promise<EventSourceMessage[]> {
  const events: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(await response.text());
  return events;
}

test("goes on after its id, over attempts and after the end; without one as its creator asked", async () => {
  for (const resumable of [true, false]) {
    const payload = { stream_mode: ["custom"], input: null, stream_resumable: resumable };
    const { run, claimed } = await begun({ payload });
    await core.attempts.release(claimed);
    const second = await core.claim(run.threadId);
    await core.attempts.append(second, 1, [{ event: "custom", data: "1" }]);
    await core.attempts.finish(second, success, 2, []);
    const path = `/threads/${run.threadId}/runs/${run.runId}/stream`;
    const ids = async (lastEventId: string) => (await eventsOf(await resume(path, lastEventId))).map(({ id }) => id);
    const all = ["1-0", "1-1", "1-2", "1-3", "2-0", "2-1", "2-2"];
    expect(await ids("-1")).toEqual(all);
    for (const [at, id] of all.slice(0, -1).entries()) expect(await ids(id)).toEqual(all.slice(at + 1));
    // It has everything, so it is told the end alone.
    expect(await ids("2-2")).toEqual(["2-2"]);
    expect(await ids("")).toEqual(resumable ? all : ["2-2"]);
  }
});

test("is told the attempt and the thread's state, whatever modes it asked for, then what comes from then on", async () => {
  const threadId = await threadOfSixSteps();
  const { run, claimed } = await begun({ threadId });
  const response = await resume(`/threads/${threadId}/runs/${run.runId}/stream?stream_mode=custom`, "7-1");
  await core.attempts.finish(claimed, success, 4, [{ event: "custom", data: "4" }]);
  const [metadata, state, ...live] = await eventsOf(response);
  expect(metadata).toEqual({ event: "metadata", data: JSON.stringify({ run_id: run.runId, attempt: 1 }) });
  expect(state).toEqual({ event: "values", data: '{"steps":6}', id: expect.stringMatching(/^1-[34]$/) });
  expect(live.at(-1)).toEqual({ event: "end", data: "null", id: "1-5" });
  // Cut between the two, it has no id of this answer and asks as before; after them it goes on from there.
  const again = await resume(`/threads/${threadId}/runs/${run.runId}/stream`, state?.id ?? "");
  expect((await eventsOf(again)).map(({ id }) => id)).toEqual(["1-4", "1-5"].filter((id) => id > String(state?.id)));
});

test("of a stateless run is told the newest values that its stream has", async () => {
  const runId = uuid();
  const { claimed } = await begun({ runId, threadId: runId, lifetime: "delete" });
  await core.attempts.finish(claimed, success, 4, []);
  expect(await eventsOf(await resume(`/runs/${runId}/stream`, "1-9"))).toEqual([
    { event: "metadata", data: JSON.stringify({ run_id: runId, attempt: 1 }) },
    { event: "values", data: '{"steps":5}', id: "1-3" },
    { event: "end", data: "null", id: "1-4" },
  ]);
});

test("of a graph that is no longer there is told the newest values that its stream has", async () => {
  const { run, claimed } = await begun({ graphId: "echo", threadId: await threadOfSixSteps() });
  await core.redis.hset(core.keys.of(run.threadId, "thread", run.threadId), "graph_id", "gone");
  await core.attempts.finish(claimed, success, 4, []);
  const events = await eventsOf(await resume(`/threads/${run.threadId}/runs/${run.runId}/stream`, "1-9"));
  expect(events.map(({ data }) => data)).toEqual([expect.any(String), '{"steps":5}', "null"]);
});

test("of a run that was deleted while it followed has its stream ended; who comes later gets 404", async () => {
  const { run } = await begun();
  const path = `/threads/${run.threadId}/runs/${run.runId}`;
  const [stream, wait] = [await resume(`${path}/stream`, "-1"), await fetch(`${at.url}${path}/join`)];
  for (const kind of ["run", "events"] as const) await core.redis.del(core.keys.of(run.threadId, kind, run.runId));
  await core.redis.del(core.keys.of(run.threadId, "thread", run.threadId));
  expect((await eventsOf(stream)).map(({ event, id }) => [event, id])).toEqual([
    ["metadata", "1-0"],
    ["custom", "1-1"],
    ["values", "1-2"],
    ["custom", "1-3"],
    ["end", undefined],
  ]);
  expect(await wait.json()).toEqual({});
  const late = await resume(`${path}/stream`, "1-3");
  expect([late.status, await detailOf(late)]).toEqual([404, expect.stringContaining("does not exist")]);
});

test.each(["-2", "1", "0x1-1", "1-1-1", "one"])("with %s as its id is refused, as what is no id", async (id) => {
  const { run } = await begun();
  const response = await resume(`/threads/${run.threadId}/runs/${run.runId}/stream`, id);
  expect([response.status, await detailOf(response)]).toEqual([
    422,
    "header.last-event-id: must be -1 or an id of this stream, such as 1-7",
  ]);
});

test("of a run that never was gets 404", async () => {
  const [threadId, runId] = [randomUUID(), randomUUID()];
  expect((await resume(`/threads/${threadId}/runs/${runId}/stream`, "1-1")).status).toBe(404);
  expect((await resume(`/runs/${runId}/stream`, "1-1")).status).toBe(404);
});

test("a run of another thread is not told as a stateless one, whether it has a record or was rolled back", async () => {
  const runId = uuid();
  const threadId = inPartitionOf(runId);
  const { claimed } = await begun({ runId, threadId });
  const asked = () => resume(`/runs/${runId}/stream`, "-1");
  expect([(await asked()).status, await detailOf(await asked())]).toEqual([404, `run ${runId} does not exist`]);
  await core.runs.cancel(threadId, claimed.runId, "rollback");
  expect((await asked()).status).toBe(404);
  expect((await resume(`/threads/${runId}/runs/${runId}/stream`, "-1")).status).toBe(404);
});

test("a stateless run whose first event names no thread, as the release before wrote it, is told", async () => {
  const runId = uuid();
  const { claimed } = await begun({ runId, threadId: runId, lifetime: "delete" });
  await core.attempts.finish(claimed, success, 4, []);
  const events = core.keys.of(runId, "events", runId);
  await core.redis.xdel(events, "0-1");
  expect((await resume(`/runs/${runId}/stream`, "-1")).status).toBe(404);
  const kept = await core.redis.xrange(events, "-", "+");
  await core.redis.del(events);
  await core.redis.xadd(events, "0-1", "e", "enqueued", "n", 0, "d", "hash");
  for (const [id, fields] of kept) await core.redis.xadd(events, id, ...fields);
  expect((await eventsOf(await resume(`/runs/${runId}/stream`, "-1"))).at(-1)).toMatchObject({ event: "end" });
});

/** An id of a thread that lies in the partition of this one. */
function inPartitionOf(id: string): string {
  for (;;) {
    const other = uuid();
    if (partitionOf(other) === partitionOf(id)) return other;
  }
}
