/** The stream of a thread as clients have it: its modes, where it resumes, and how it ends. */
import { randomUUID } from "node:crypto";
import { Annotation, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { Client } from "@langchain/langgraph-sdk";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCheckpointer } from "../../app/data/checkpoints/checkpointer.js";
import { StateDrafts } from "../../app/data/stateDrafts.js";
import { Threads } from "../../app/data/threads.js";
import type { Graph } from "../../app/graphs/load.js";
import { ours } from "../support/checkpoints.js";
import { type Core, newRun, soon, startCore, success } from "../support/core.js";
import { startTcpProxy } from "../support/tcpProxy.js";
import { tellState } from "../support/threadReader.js";
import { detailOf, post, type Started, startServer } from "./support.js";

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
  at = await start();
});
afterAll(async () => {
  await at.close();
  await core.stop();
});

const start = (checkpointer: BaseCheckpointSaver = saver) => {
  const { runs, redis, removals, keys } = core;
  const drafts = new StateDrafts({ redis, keys, langgraph: ours });
  return startServer({
    core: { runs, redis, removals, drafts, threads: new Threads(redis, keys) },
    graphs: { echo: counting.compile() as unknown as Graph },
    checkpointer,
    environment: { SSE_HEARTBEAT_MS: "100" },
  });
};

/** A thread that is at six steps, with one run: two events, `metadata` and `end`. */
async function threadOfSixSteps(): Promise<string> {
  const thread_id = uuid();
  await counting.compile({ checkpointer: saver }).invoke({ steps: 5 }, { configurable: { thread_id } });
  await runOnce(thread_id, 0);
  return thread_id;
}

async function runOnce(threadId: string, events = 1): Promise<string> {
  const run = newRun({ threadId });
  await core.runs.enqueue(run);
  const claimed = await core.claim(threadId);
  const customs = Array.from({ length: events }, (_, nth) => ({ event: "custom", data: String(nth) }));
  await core.attempts.finish(claimed, success, 1, customs);
  return run.runId;
}

type Told = Pick<EventSourceMessage, "event" | "id"> & { data: unknown };

/** Reads an open stream until it is closed. */
async function open(path: string, headers: Record<string, string> = {}, url = at.url) {
  const controller = new AbortController();
  const response = await fetch(`${url}${path}`, { headers, signal: controller.signal });
  expect(response.status).toBe(200);
  const told: Told[] = [];
  let raw = "";
  let ended: "cleanly" | "cut" | undefined;
  const parser = createParser({
    onEvent: ({ event, id, data }) => told.push({ event, id, data: JSON.parse(data) }),
  });
  const reading = (async () => {
    try {
      for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        raw += text;
        parser.feed(text);
      }
      ended = "cleanly";
    } catch {
      ended = "cut";
    }
  })();
  return {
    ...{ response, told, reading },
    raw: () => raw,
    ended: () => ended,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await reading;
    },
  };
}

const streamOf = (threadId: string, query = "") => `/threads/${threadId}/stream${query}`;
const fromStart = { "last-event-id": "-" };

describe("a thread's stream", () => {
  test("says at once where it is and goes on, stays open from run to run, and beats", async () => {
    const threadId = await threadOfSixSteps();
    await using stream = await open(streamOf(threadId));
    expect(Object.fromEntries(stream.response.headers)).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      location: `/threads/${threadId}/stream`,
    });
    const first = await runOnce(threadId);
    const second = await runOnce(threadId, 0);
    await soon(() => expect(stream.raw()).toContain(": heartbeat\n"));
    await soon(() => expect(stream.told).toHaveLength(5));
    expect(stream.raw().startsWith("id: 2\n\n")).toBe(true);
    expect(stream.told).toEqual([
      { event: "metadata", id: "3", data: { run_id: first, attempt: 1 } },
      { event: "custom", id: "4", data: 0 },
      { event: "metadata", id: "5", data: { status: "run_done", run_id: first } },
      { event: "metadata", id: "6", data: { run_id: second, attempt: 1 } },
      { event: "metadata", id: "7", data: { status: "run_done", run_id: second } },
    ]);
    expect(stream.ended()).toBeUndefined();
  });

  test("has each mode's events alone, however they are asked for", async () => {
    const threadId = await threadOfSixSteps();
    await tellState(core, threadId);
    const run = await runOnce(threadId);
    const ask = async (query: string, count: number) => {
      await using stream = await open(streamOf(threadId, query), { "last-event-id": "2" });
      await soon(() => expect(stream.told.length).toBe(count));
      return stream.told;
    };
    const began = { event: "metadata", id: "4", data: { run_id: run, attempt: 1 } };
    const custom = { event: "custom", id: "5", data: 0 };
    const done = { event: "metadata", id: "6", data: { status: "run_done", run_id: run } };
    const update = (id: string | undefined) => ({
      event: "state_update",
      id,
      data: { thread_id: threadId, state: expect.objectContaining({ values: { steps: 6 }, next: [] }) },
    });
    expect(await ask("", 3)).toEqual([began, custom, done]);
    expect(await ask("?stream_mode=run_modes&stream_mode=lifecycle", 3)).toEqual([began, custom, done]);
    expect(await ask("?stream_mode=lifecycle", 2)).toEqual([began, done]);
    expect(await ask("?stream_modes=state_update", 2)).toEqual([update("3"), update("6")]);
    for (const query of [
      "?stream_mode=lifecycle,state_update",
      "?stream_modes=lifecycle&stream_modes=state_update",
      '?stream_mode=["lifecycle","state_update"]',
    ])
      expect(await ask(query, 4)).toEqual([update("3"), began, update(undefined), done]);
    const all = await ask("?stream_mode=run_modes&stream_modes=state_update", 5);
    expect(all).toEqual([update("3"), began, custom, update(undefined), done]);
  });

  test("tells of a state that is written through another server", async () => {
    const servers = [await start(createCheckpointer(ours, core)), await start(createCheckpointer(ours, core))] as const;
    const [one, other] = servers;
    const { thread_id } = await new Client({ apiUrl: one.url, apiKey: null }).threads.create({ graphId: "echo" });
    await using stream = await open(streamOf(thread_id, "?stream_mode=state_update"), {}, one.url);
    const update = { values: { steps: 41 }, as_node: "count" };
    expect((await post(`${other.url}/threads/${thread_id}/state`, update)).status).toBe(200);
    const state = expect.objectContaining({ values: { steps: 41 }, next: [] });
    await soon(() => expect(stream.told).toEqual([{ event: "state_update", id: "1", data: { thread_id, state } }]));
    await Promise.all(servers.map((server) => server.close()));
  });

  test("goes on after any id through another server, and from what is kept", async () => {
    const threadId = await threadOfSixSteps();
    await runOnce(threadId);
    const other = await start();
    const ids = async (lastEventId: string, count: number) => {
      await using stream = await open(streamOf(threadId), { "last-event-id": lastEventId }, other.url);
      await soon(() => expect(stream.told.length).toBe(count));
      return stream.told.map(({ id }) => id);
    };
    expect(await ids("-", 5)).toEqual(["1", "2", "3", "4", "5"]);
    for (const after of [0, 1, 2, 3, 4]) expect((await ids(String(after), 5 - after))[0]).toBe(String(after + 1));
    await other.close();
  });

  test("tells the state where the place is gone, as with an id of another stream, whatever its modes", async () => {
    const threadId = await threadOfSixSteps();
    for (const id of ["99", "1-7"]) {
      await using stream = await open(streamOf(threadId, "?stream_mode=lifecycle"), { "last-event-id": id });
      await soon(() => expect(stream.told).toEqual([{ event: "values", id: "2", data: { steps: 6 } }]));
    }
  });

  test("ends with `end` when the thread is deleted", async () => {
    const threadId = await threadOfSixSteps();
    await using stream = await open(streamOf(threadId), fromStart);
    await soon(() => expect(stream.told).toHaveLength(2));
    expect((await fetch(`${at.url}/threads/${threadId}`, { method: "DELETE" })).status).toBe(204);
    await stream.reading;
    expect(stream.ended()).toBe("cleanly");
    expect(stream.told.slice(2)).toEqual([{ event: "end", id: undefined, data: null }]);
  });

  test("is cut by a server that drains, and no longer followed by one whose client went", async () => {
    const threadId = await threadOfSixSteps();
    const draining = await start();
    const cut = await open(streamOf(threadId), {}, draining.url);
    await draining.close();
    await cut.reading;
    expect(cut.ended()).toBe("cut");
    await soon(async () => expect(await core.admin.call("PUBSUB", "SHARDCHANNELS")).toEqual([]));
  });

  test("is refused for a thread that is not there, and for what is no mode or place", async () => {
    const missing = randomUUID();
    const refused = await fetch(`${at.url}${streamOf(missing)}`);
    expect([refused.status, await detailOf(refused)]).toEqual([404, `thread ${missing} does not exist`]);
    const threadId = await threadOfSixSteps();
    for (const [query, id, detail] of [
      ["?stream_mode=values", "", /^query\.stream_mode\.0: must be one of run_modes, lifecycle, state_update$/],
      ["?stream_modes=run_modes,all", "", /^query\.stream_modes\.1: must be one of/],
      ["", "last", /^header\.last-event-id: must be - or an id of this stream, such as 17$/],
      ["", "-1", /must be - or an id of this stream/],
    ] as const) {
      const response = await fetch(`${at.url}${streamOf(threadId, query)}`, { headers: { "last-event-id": id } });
      expect(response.status).toBe(422);
      expect(await detailOf(response)).toMatch(detail);
    }
    expect((await fetch(`${at.url}${streamOf("not-a-uuid")}`)).status).toBe(422);
  });
});

test("the SDK joins it, and goes on by itself after a cut without missing or repeating anything", async () => {
  const threadId = await threadOfSixSteps();
  const proxy = await startTcpProxy({ host: "127.0.0.1", port: Number(new URL(at.url).port) });
  const client = new Client({ apiUrl: `http://127.0.0.1:${proxy.port}` });
  const ids: (string | undefined)[] = [];
  const controller = new AbortController();
  const reading = (async () => {
    const stream = client.threads.joinStream(threadId, {
      streamMode: ["run_modes", "state_update"],
      lastEventId: "-",
      signal: controller.signal,
    });
    for await (const { event, id } of stream) if (event !== "state_update") ids.push(id);
  })();
  await soon(() => expect(ids).toEqual(["1", "2"]));
  proxy.cut();
  await runOnce(threadId);
  await soon(() => expect(ids).toEqual(["1", "2", "3", "4", "5"]));
  controller.abort();
  await reading.catch(() => {});
  await proxy.stop();
});
