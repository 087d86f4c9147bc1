import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import { Client } from "@langchain/langgraph-sdk";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { post, type Started, startServer } from "./support.js";

let at: Started;
beforeEach(async () => {
  at = await startServer({ environment: { SSE_HEARTBEAT_MS: "100" } });
});
afterEach(() => at.close());

/** Starts a stateless run and resolves once the server follows it. */
async function startStream(body: object = {}, headers: Record<string, string> = {}) {
  const response = await post(`${at.url}/runs/stream`, { assistant_id: "writer", ...body }, headers);
  expect(response.status).toBe(200);
  const runId = at.runs.accepted.at(-1)?.runId ?? expect.fail("no run");
  return { response, runId };
}

async function startRun(body: object = {}): Promise<string> {
  const response = await post(`${at.url}/runs`, { assistant_id: "writer", on_completion: "keep", ...body });
  const { run_id } = (await response.json()) as { run_id: string };
  return run_id;
}

function parse(text: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(text);
  return events;
}

const idOf = (part: object) => ("id" in part ? String(part.id) : undefined);

const names = (text: string) => parse(text).map(({ event }) => event);

describe("a new run's stream", () => {
  test("says at once where it is and where to resume, then each event with its id, and `end` last", async () => {
    const { response, runId } = await startStream();
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "content-location": `/runs/${runId}`,
      location: `/threads/${runId}/runs/${runId}/stream`,
    });
    at.runs.emit(runId, ["metadata", { run_id: runId, attempt: 1 }], ["values", { text: "é\n" }]);
    at.runs.emit(runId, ["values|agent:1", {}], ["end", { answer: 42 }]);
    expect(await response.text()).toBe(
      [
        "id: 0-1",
        `event: metadata\ndata: {"run_id":"${runId}","attempt":1}\nid: 1-0`,
        'event: values\ndata: {"text":"é\\n"}\nid: 1-1',
        "event: values|agent:1\ndata: {}\nid: 1-2",
        "event: end\ndata: null\nid: 1-3\n\n",
      ].join("\n\n"),
    );
  });

  test("is followed before the run is enqueued", async () => {
    await startStream();
    expect(at.runs.followed).toEqual(["new"]);
  });

  test("beats while it is silent, without an event for any client", async () => {
    const { response, runId } = await startStream();
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader() ?? expect.fail("no body");
    let text = "";
    while ((text.match(/: heartbeat\n/g) ?? []).length < 2) text += (await reader.read()).value ?? "";
    at.runs.emit(runId, ["end", null]);
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    expect(names(text)).toEqual(["end"]);
  });

  test("of a thread names the thread", async () => {
    const threadId = randomUUID();
    const url = `${at.url}/threads/${threadId}/runs/stream`;
    const response = await post(url, { assistant_id: "echo", if_not_exists: "create", on_disconnect: "cancel" });
    const runId = at.runs.accepted[0]?.runId;
    expect(response.headers.get("content-location")).toBe(`/threads/${threadId}/runs/${runId}`);
    expect(response.headers.get("location")).toBe(`/threads/${threadId}/runs/${runId}/stream?cancel_on_disconnect=1`);
    await response.body?.cancel();
  });

  test("asked for twice under one Idempotency-Key is one run, read from its start", async () => {
    const key = { "idempotency-key": randomUUID() };
    const { response, runId } = await startStream({}, key);
    at.runs.emit(runId, ["metadata", {}], ["values", 1]);
    const again = await post(`${at.url}/runs/stream`, { assistant_id: "writer" }, key);
    at.runs.emit(runId, ["end", null]);
    expect(names(await again.text())).toEqual(["metadata", "values", "end"]);
    expect(names(await response.text())).toEqual(["metadata", "values", "end"]);
    expect(at.runs.accepted).toHaveLength(1);
  });

  test("is cut, not ended, when following fails", async () => {
    const { response, runId } = await startStream();
    at.runs.fail(runId, new Error("Connection is closed."));
    await expect(response.text()).rejects.toThrow();
  });
});

describe("a joined stream", () => {
  test("leaves nothing out for an empty stream_mode, which the Python SDK sends where none was given", async () => {
    const runId = await startRun({ stream_resumable: true });
    at.runs.emit(runId, ["metadata", {}], ["values", 1], ["custom", 2], ["end", null]);
    const response = await fetch(`${at.url}/runs/${runId}/stream?cancel_on_disconnect=false&stream_mode=`);
    expect(names(await response.text())).toEqual(["metadata", "values", "custom", "end"]);
  });

  test("goes on after the last id, from the start with -1, and of a resumable run without an id", async () => {
    const kept = await startRun({ stream_resumable: true });
    const live = await startRun();
    for (const runId of [kept, live])
      at.runs.emit(runId, ["metadata", {}], ["values", 1], ["values", 2], ["end", null]);
    const ids = async (runId: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${at.url}/threads/${runId}/runs/${runId}/stream`, { headers });
      return parse(await response.text()).map(({ id }) => id);
    };
    expect(await ids(live, { "last-event-id": "1-1" })).toEqual(["1-2", "1-3"]);
    expect(await ids(live, { "last-event-id": "-1" })).toEqual(["1-0", "1-1", "1-2", "1-3"]);
    expect(await ids(kept)).toEqual(["1-0", "1-1", "1-2", "1-3"]);
    expect(await ids(live)).toEqual(["1-3"]);
  });

  test.each([
    ["?stream_mode=values", ["metadata", "values", "values|a:1", "error", "end"]],
    ["?stream_mode=values&stream_mode=custom", ["metadata", "values", "values|a:1", "custom", "error", "end"]],
    ["?stream_mode=messages-tuple,custom", ["metadata", "messages", "custom", "error", "end"]],
    ['?stream_mode=["messages"]', ["metadata", "messages/partial", "error", "end"]],
  ])("with %s has the events of those modes, of subgraphs too", async (query, expected) => {
    const runId = await startRun();
    const modes = ["values", "values|a:1", "updates", "messages", "messages/partial", "custom"];
    at.runs.emit(
      runId,
      ["metadata", {}],
      ...modes.map((mode): [string, unknown] => [mode, {}]),
      ["error", {}],
      ["end", null],
    );
    const url = `${at.url}/runs/${runId}/stream${query}`;
    const response = await fetch(url, { headers: { "last-event-id": "-1" } });
    expect(names(await response.text())).toEqual(expected);
    expect(decodeURIComponent(response.headers.get("location") ?? "")).toBe(
      `/threads/${runId}/runs/${runId}/stream${query}`,
    );
  });

  test("with an unknown mode is refused", async () => {
    const runId = await startRun();
    const response = await fetch(`${at.url}/runs/${runId}/stream?stream_mode=all`);
    expect([response.status, await response.json()]).toEqual([
      422,
      { detail: expect.stringMatching(/^query\.stream_mode\.0: must be one of values, updates/) },
    ]);
  });

  test("of an unknown run is refused", async () => {
    const id = randomUUID();
    expect((await fetch(`${at.url}/runs/${id}/stream`)).status).toBe(404);
    expect((await fetch(`${at.url}/threads/${randomUUID()}/runs/${id}/stream`)).status).toBe(404);
  });
});

describe("wait and join", () => {
  test("send headers and white space at once, then the answer as it was stored", async () => {
    const response = await post(`${at.url}/runs/wait`, { assistant_id: "echo" });
    const runId = at.runs.accepted[0]?.runId ?? expect.fail("no run");
    expect(response.headers.get("location")).toBe(`/threads/${runId}/runs/${runId}/join`);
    expect(response.headers.get("content-location")).toBe(`/runs/${runId}`);
    const join = await fetch(`${at.url}/threads/${runId}/runs/${runId}/join`);
    const reader = join.body?.pipeThrough(new TextDecoderStream()).getReader() ?? expect.fail("no body");
    expect((await reader.read()).value).toBe("\n");

    const answer = { __error__: { error: "Error", message: "no" } };
    at.runs.emit(runId, ["values", {}], ["error", {}], ["end", answer]);
    expect(await response.json()).toEqual(answer);
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    expect(JSON.parse(text)).toEqual(answer);
  });

  test("say where a client that was cut goes on as it had asked", async () => {
    const waiting = await post(`${at.url}/runs/wait`, { assistant_id: "echo", on_disconnect: "cancel" });
    const runId = at.runs.accepted[0]?.runId;
    const place = `/threads/${runId}/runs/${runId}/join?cancel_on_disconnect=1`;
    expect(waiting.headers.get("location")).toBe(place);
    const joined = await fetch(`${at.url}${place}`);
    expect(joined.headers.get("location")).toBe(place);
    await Promise.all([waiting.body?.cancel(), joined.body?.cancel()]);
  });

  test("of a run that has ended answer at once", async () => {
    const runId = await startRun();
    at.runs.emit(runId, ["end", { done: true }]);
    expect(await (await fetch(`${at.url}/threads/${runId}/runs/${runId}/join`)).json()).toEqual({ done: true });
  });
});

describe("a client that goes away", () => {
  const asked = { on_disconnect: "cancel" };

  test.each([
    ["a stream", true, () => startStream(asked)],
    ["a stream without asking for it", false, () => startStream()],
    ["a wait", true, () => post(`${at.url}/runs/wait`, { assistant_id: "echo", ...asked })],
    ["a joined stream", true, async () => fetch(`${at.url}/runs/${await startRun()}/stream?cancel_on_disconnect=true`)],
    ["a join", true, async () => fetch(`${at.url}/threads/${await sameIds()}/join?cancel_on_disconnect=1`)],
  ])("from %s frees it; cancelled: %s", async (_name, cancelled, start) => {
    const started = await start();
    const response = "response" in started ? started.response : started;
    expect(at.runs.openFollows).toBe(1);
    await response.body?.cancel();
    await vi.waitFor(() => expect(at.runs.openFollows).toBe(0));
    expect(at.runs.cancelled).toHaveLength(cancelled ? 1 : 0);
  });

  const sameIds = async () => {
    const runId = await startRun();
    return `${runId}/runs/${runId}`;
  };

  test("after the end cancels nothing", async () => {
    const { response, runId } = await startStream(asked);
    at.runs.emit(runId, ["end", null]);
    await response.text();
    await vi.waitFor(() => expect(at.runs.openFollows).toBe(0));
    expect(at.runs.cancelled).toEqual([]);
  });
});

describe("a slow reader", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  async function stall(): Promise<{ socket: Socket; closed: Promise<unknown>; runId: string }> {
    const body = JSON.stringify({ assistant_id: "writer", on_disconnect: "cancel" });
    const socket = connect(Number(new URL(at.url).port), "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const headers = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    socket.write(`POST /runs/stream HTTP/1.1\r\n${headers}\r\n\r\n${body}`);
    await new Promise((resolve) => socket.once("data", resolve));
    socket.pause();
    return { socket, closed, runId: at.runs.accepted.at(-1)?.runId ?? expect.fail("no run") };
  }

  test("is sent away after ten seconds a megabyte, its run goes on, and others get every event", async () => {
    const { socket, closed, runId } = await stall();
    const other = await fetch(`${at.url}/runs/${runId}/stream`);
    const reader = other.body?.pipeThrough(new TextDecoderStream()).getReader() ?? expect.fail("no body");
    let text = "";
    const readUntil = async (count: number) => {
      while (parse(text).length < count) text += (await reader.read()).value ?? expect.fail("cut");
    };

    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    // More than the buffers of the system take.
    for (let count = 0; count < 16; count++) at.runs.emit(runId, ["values", "x".repeat(1024 * 1024)]);
    await readUntil(16);
    expect(at.runs.openFollows).toBe(2);
    await vi.advanceTimersByTimeAsync(9_000 * 16);
    expect(at.runs.openFollows).toBe(2);
    await vi.advanceTimersByTimeAsync(2_000 * 16);
    vi.useRealTimers();
    await vi.waitFor(() => expect(at.runs.openFollows).toBe(1));
    socket.resume();
    await closed;

    at.runs.emit(runId, ["end", null]);
    await readUntil(17);
    expect(at.runs.cancelled).toEqual([]);
  });
});

describe("a draining server", () => {
  test("cuts its streams and waits, cancels nothing, and still answers what it has begun to answer", async () => {
    const { response } = await startStream({ on_disconnect: "cancel" });
    const waiting = await post(`${at.url}/runs/wait`, { assistant_id: "echo", on_disconnect: "cancel" });
    const held = at.runs.hold();
    const begun = fetch(`${at.url}/threads/${randomUUID()}/runs/${randomUUID()}`);
    await held.reached;

    const closing = at.close();
    await expect(response.text()).rejects.toThrow();
    await expect(waiting.text()).rejects.toThrow();
    held.release();
    expect((await begun).status).toBe(404);
    await closing;
    await expect(fetch(`${at.url}/ok`)).rejects.toThrow();
    expect(at.runs.cancelled).toEqual([]);
    expect(at.runs.openFollows).toBe(0);
  });

  test("tells the client of a run that it has just accepted where to go on", async () => {
    const held = at.runs.hold();
    const starting = post(`${at.url}/runs/stream`, { assistant_id: "echo" });
    await held.reached;
    const closing = at.close();
    held.release();
    const response = await starting;
    expect(response.headers.get("location")).toContain(at.runs.accepted[0]?.runId);
    await expect(response.text()).rejects.toThrow();
    await closing;
  });

  test.each([0, 2])("loses no event of a client of the official SDK that had %i", async (before) => {
    const next = await startServer({ runs: at.runs });
    const servers = [at.url, next.url];
    const fetchThere: typeof fetch = (input, init) => fetch(String(input).replace(at.url, servers[0] ?? ""), init);
    const client = new Client({ apiUrl: at.url, apiKey: null, callerOptions: { fetch: fetchThere } });
    const events: (string | undefined)[] = [];
    const reading = (async () => {
      for await (const part of client.runs.stream(null, "writer", { input: {} })) events.push(idOf(part));
    })();
    await vi.waitFor(() => expect(at.runs.openFollows).toBe(1));
    const runId = at.runs.accepted[0]?.runId ?? expect.fail("no run");
    const rest: [string, unknown][] = [
      ["metadata", {}],
      ["values", 1],
      ["values", 2],
      ["end", null],
    ];
    at.runs.emit(runId, ...rest.splice(0, before));
    await vi.waitFor(() => expect(events).toHaveLength(before));

    servers.shift();
    await at.close();
    at.runs.emit(runId, ...rest);
    await reading;
    expect(events).toEqual(["1-0", "1-1", "1-2", "1-3"]);
    await next.close();
  });
});
