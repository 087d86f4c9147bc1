import { randomUUID } from "node:crypto";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { detailOf, ECHO_ID, post, type Started, startServer } from "./support.js";

let at: Started;
beforeAll(async () => {
  at = await startServer();
});
afterAll(() => at.close());

async function newThread(): Promise<string> {
  const response = await post(`${at.url}/threads`);
  const { thread_id } = (await response.json()) as { thread_id: string };
  at.runs.threads.add(thread_id);
  return thread_id;
}

async function newRun(threadId: string, body: object = {}) {
  const response = await post(`${at.url}/threads/${threadId}/runs`, { assistant_id: "echo", ...body });
  expect(response.status).toBe(200);
  return { response, run: (await response.json()) as { run_id: string; kwargs: Record<string, unknown> } };
}

describe("a run in the background", () => {
  test("is answered with its ids, its assistant and what it will execute", async () => {
    const threadId = await newThread();
    const { run, response } = await newRun(threadId, {
      input: { messages: [] },
      metadata: { team: "red" },
      config: { recursion_limit: 7, configurable: { pace_ms: 1 } },
      context: { user: "ada" },
      stream_mode: ["values", "messages-tuple"],
      stream_subgraphs: true,
      interrupt_before: ["tools"],
      durability: "exit",
    });
    expect(response.headers.get("content-location")).toBe(`/threads/${threadId}/runs/${run.run_id}`);
    expect(run).toMatchObject({
      thread_id: threadId,
      assistant_id: ECHO_ID,
      status: "pending",
      multitask_strategy: "enqueue",
      metadata: { team: "red", graph_id: "echo", assistant_id: ECHO_ID },
      kwargs: {
        input: { messages: [] },
        config: {
          recursion_limit: 7,
          configurable: {
            pace_ms: 1,
            thread_id: threadId,
            run_id: run.run_id,
            graph_id: "echo",
            assistant_id: ECHO_ID,
          },
        },
        context: { user: "ada" },
        stream_mode: ["values", "messages-tuple"],
        subgraphs: true,
        resumable: false,
        interrupt_before: ["tools"],
        durability: "exit",
      },
    });
  });

  test("starts from what the SDKs leave empty: nulls, and fields of other versions", async () => {
    const { run } = await newRun(await newThread(), {
      ...{ input: null, command: { resume: null }, config: null, metadata: null, stream_mode: null, webhook: null },
      ...{ multitask_strategy: null, if_not_exists: null, after_seconds: null, feedback_keys: [], checkpoint: null },
      ...{ checkpoint_during: null, strict_resume: null, langsmith_tracer: null, assistantId: "echo", of_tomorrow: 1 },
    });
    expect(Object.keys(run.kwargs).sort()).toEqual(["config", "resumable", "stream_mode", "subgraphs"]);
    expect(run.kwargs).toMatchObject({ stream_mode: ["values"] });
  });

  test("can't be given the identity of a worker or of a user, nor a header's value", async () => {
    const threadId = await newThread();
    const configurable = { __switchyard_owner: "me", langgraph_auth_user: "root", thread_id: "another", ok: 1 };
    const body = { assistant_id: "echo", config: { configurable } };
    await post(`${at.url}/threads/${threadId}/runs`, body, { "x-team": "red" });
    expect(at.runs.accepted.at(-1)?.payload.config?.configurable).toEqual({
      ...{ ok: 1, thread_id: threadId, run_id: expect.any(String), graph_id: "echo", assistant_id: ECHO_ID },
    });
  });

  test("carries a human's answer, a delay and the strategy to the core", async () => {
    await newRun(await newThread(), {
      command: { resume: { ok: true } },
      after_seconds: 1.5,
      multitask_strategy: "reject",
    });
    expect(at.runs.accepted.at(-1)).toMatchObject({
      payload: { command: { resume: { ok: true } } },
      ...{ afterMs: 1_500, strategy: "reject", lifetime: "thread", ifNotExists: "reject" },
    });
  });

  test("is one run when the same request comes twice under one Idempotency-Key, and 409 for another", async () => {
    const url = `${at.url}/threads/${await newThread()}/runs`;
    const key = { "idempotency-key": randomUUID().toUpperCase() };
    const first = await post(url, { assistant_id: "echo", input: { a: 1, b: 2 } }, key);
    const again = await post(url, '{"input":{"b":2,"a":1},"assistant_id":"echo"}', key);
    const other = await post(url, { assistant_id: "echo", input: { a: 2 } }, key);
    const run_id = key["idempotency-key"].toLowerCase();
    expect(await first.json()).toMatchObject({ run_id });
    expect(await again.json()).toMatchObject({ run_id });
    expect(other.status).toBe(409);
  });

  test("is listed and found on its thread alone", async () => {
    const threadId = await newThread();
    const { run } = await newRun(threadId);
    const list = await fetch(`${at.url}/threads/${threadId}/runs?limit=10&offset=0`);
    expect(await list.json()).toMatchObject([{ run_id: run.run_id }]);
    expect((await fetch(`${at.url}/threads/${threadId}/runs/${run.run_id}`)).status).toBe(200);

    const elsewhere = await fetch(`${at.url}/threads/${randomUUID()}/runs/${run.run_id}`);
    expect(elsewhere.status).toBe(404);
    expect(await detailOf(elsewhere)).toContain(run.run_id);
    expect((await fetch(`${at.url}/threads/${randomUUID()}/runs`)).status).toBe(404);
  });
});

describe("refusals", () => {
  test.each([
    ["an unknown assistant", { assistant_id: "nobody" }, 404, /assistant nobody/],
    ["a missing assistant", {}, 422, /^body\.assistant_id: is required/],
    ["a wrong type", { assistant_id: 7 }, 422, /^body\.assistant_id: /],
    [
      "an unknown stream mode",
      { assistant_id: "echo", stream_mode: ["values", "all"] },
      422,
      /^body\.stream_mode: .*values/,
    ],
    ["no stream mode", { assistant_id: "echo", stream_mode: [] }, 422, /^body\.stream_mode: /],
    [
      "an unknown strategy",
      { assistant_id: "echo", multitask_strategy: "replace" },
      422,
      /^body\.multitask_strategy: must be one of enqueue, reject, interrupt, rollback$/,
    ],
    ["a webhook without an address", { assistant_id: "echo", webhook: "" }, 422, /^body\.webhook: must not be empty/],
    ["feedback keys that are none", { assistant_id: "echo", feedback_keys: "up" }, 422, /^body\.feedback_keys: /],
    ["a negative delay", { assistant_id: "echo", after_seconds: -1 }, 422, /^body\.after_seconds: must be at least 0/],
    ["an endless delay", { assistant_id: "echo", after_seconds: 1e9 }, 422, /^body\.after_seconds: must be at most 3/],
    [
      "a delay in words",
      { assistant_id: "echo", after_seconds: "soon" },
      422,
      /^body\.after_seconds: must be a number/,
    ],
    ["an unknown if_not_exists", { assistant_id: "echo", if_not_exists: "make" }, 422, /^body\.if_not_exists: must be/],
    ["metadata that is a list", { assistant_id: "echo", metadata: [] }, 422, /^body\.metadata: must be an object/],
    ["a wrong goto", { assistant_id: "echo", command: { goto: 3 } }, 422, /^body\.command\.goto: /],
    ["a list as body", [], 422, /^body: must be an object/],
    ["a text that is no JSON", "{oops", 422, /^body: invalid JSON/],
  ])("%s", async (_name, body, status, detail) => {
    const threadId = await newThread();
    const accepted = at.runs.accepted.length;
    for (const path of ["", "/stream", "/wait"]) {
      const response = await post(`${at.url}/threads/${threadId}/runs${path}`, body);
      expect(response.status).toBe(status);
      expect(await detailOf(response)).toMatch(detail);
    }
    expect(at.runs.accepted.length).toBe(accepted);
  });

  test("a thread that does not exist, unless the run may create it", async () => {
    const threadId = randomUUID();
    const missing = await post(`${at.url}/threads/${threadId}/runs`, { assistant_id: "echo" });
    expect([missing.status, await detailOf(missing)]).toEqual([404, `thread ${threadId} does not exist`]);
    const made = await post(`${at.url}/threads/${threadId}/runs`, { assistant_id: "echo", if_not_exists: "create" });
    expect(made.status).toBe(200);
  });

  test("a busy thread, before a stream or a wait has begun", async () => {
    const threadId = await newThread();
    await newRun(threadId);
    for (const path of ["", "/stream", "/wait"]) {
      const busy = await post(`${at.url}/threads/${threadId}/runs${path}`, {
        assistant_id: "echo",
        multitask_strategy: "reject",
      });
      expect(busy.status).toBe(409);
      expect(await detailOf(busy)).toContain("busy");
    }
    await vi.waitFor(() => expect(at.runs.openFollows).toBe(0));
  });

  test("a checkpoint for a run without a thread", async () => {
    const response = await post(`${at.url}/runs`, { assistant_id: "echo", checkpoint_id: "c1" });
    expect([response.status, await detailOf(response)]).toEqual([422, expect.stringMatching(/^body\.checkpoint_id: /)]);
  });

  test("ids that are none, a wrong Idempotency-Key, a wrong Last-Event-ID", async () => {
    const id = randomUUID();
    const refused = [
      [await fetch(`${at.url}/threads/nope/runs/${id}`), /^path\.thread_id: must be a uuid/],
      [
        await post(`${at.url}/runs`, { assistant_id: "echo" }, { "idempotency-key": "1" }),
        /^header\.idempotency-key: /,
      ],
      [
        await fetch(`${at.url}/threads/${id}/runs/${id}/stream`, { headers: { "last-event-id": "abc" } }),
        /^header\.last-event-id: /,
      ],
      [await fetch(`${at.url}/threads/${id}/runs?limit=x`), /^query\.limit: must be a whole number/],
      [await fetch(`${at.url}/threads/${id}/runs?status=done`), /^query\.status: must be one of pending/],
    ] as const;
    for (const [response, detail] of refused) {
      expect(response.status).toBe(422);
      expect(await detailOf(response)).toMatch(detail);
    }
  });
});

describe("cancel", () => {
  test("is stored with 202, or waits for the end with 204; an ended run is 409, an unknown one 404", async () => {
    const threadId = await newThread();
    const { run } = await newRun(threadId);
    const url = `${at.url}/threads/${threadId}/runs/${run.run_id}/cancel`;
    expect((await post(`${url}?wait=0&action=interrupt`)).status).toBe(202);
    expect(at.runs.cancelled).toContain(run.run_id);

    const waiting = post(`${url}?wait=1`);
    await vi.waitFor(() => expect(at.runs.openFollows).toBe(1));
    at.runs.emit(run.run_id, ["end", null]);
    expect((await waiting).status).toBe(204);

    expect((await post(url)).status).toBe(409);
    expect((await post(`${at.url}/threads/${threadId}/runs/${randomUUID()}/cancel`)).status).toBe(404);
  });

  test("with an action that is none is 422 and names it", async () => {
    const response = await post(`${at.url}/threads/${randomUUID()}/runs/${randomUUID()}/cancel?action=undo`);
    expect(response.status).toBe(422);
    expect(await detailOf(response)).toMatch(/^query\.action: must be one of interrupt, rollback/);
  });

  test.each([
    ["nothing", {}, /^body: must have either status, or thread_id and run_ids$/],
    ["a status and runs", { status: "all", run_ids: [randomUUID()] }, /^body: must have either/],
    ["a status and a thread", { status: "all", thread_id: randomUUID() }, /^body: must have either/],
    ["runs without their thread", { run_ids: [randomUUID()] }, /^body: must have either/],
    ["no runs", { thread_id: randomUUID(), run_ids: [] }, /^body\.run_ids: must not be empty/],
    ["an unknown status", { status: "done" }, /^body\.status: must be one of pending, running, all/],
    ["a run id that is none", { thread_id: randomUUID(), run_ids: ["r1"] }, /^body\.run_ids\.0: must be a uuid/],
  ])("of many is refused with %s", async (_name, body, detail) => {
    const response = await post(`${at.url}/runs/cancel`, body);
    expect([response.status, await detailOf(response)]).toEqual([422, expect.stringMatching(detail)]);
  });

  test("of many refuses an unknown action, and takes what the SDK sends", async () => {
    const wrong = await post(`${at.url}/runs/cancel?action=stop`, { status: "all" });
    expect([wrong.status, await detailOf(wrong)]).toEqual([
      422,
      expect.stringMatching(/^query\.action: must be one of/),
    ]);
    const client = new Client({ apiUrl: at.url, apiKey: null });
    const threadId = await newThread();
    const { run } = await newRun(threadId);
    await client.runs.cancelMany({ threadId, runIds: [run.run_id], action: "interrupt" });
    expect(at.runs.cancelled).toContain(run.run_id);
    await client.runs.cancelMany({ status: "all" });
  });
});
