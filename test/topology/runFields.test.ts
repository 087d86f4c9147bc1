/** What becomes of each field of the requests that create runs: real graphs on a worker, asked for over HTTP. */
import { fileURLToPath } from "node:url";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { adminOf } from "../support/runs.js";
import { collectChunks } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/fields/langgraph.json", import.meta.url));

let all: Topology;
beforeAll(async () => {
  all = await topology({ servers: 1, workers: 1, config });
}, 120_000);
afterAll(() => all.stop());

let threadId: string;
beforeEach(async () => {
  threadId = (await all.client.threads.create()).thread_id;
});

interface State {
  steps: string[];
  told: Record<string, unknown>;
}
type Body = Record<string, unknown>;

async function send(path: string, body: unknown): Promise<{ status: number; answer: Body }> {
  const response = await fetch(`${all.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, answer: (await response.json()) as Body };
}

/** Waits for a run on the test's thread. */
async function run(body: Body): Promise<State> {
  const { answer } = await send(`/threads/${threadId}/runs/wait`, { assistant_id: "walk", ...body });
  return answer as unknown as State;
}
/** None where the run stopped before its first step. */
const stepsOf = async (body: Body) => (await run(body)).steps ?? [];
const nextOf = async () => (await all.client.threads.getState(threadId)).next;
const history = () => all.client.threads.getHistory<State>(threadId, { limit: 100 });
const statusOf = async () => (await all.client.threads.get(threadId)).status;

describe("config and context", () => {
  test("reach the graph, each where it was put; what no version knows is ignored", async () => {
    const { told } = await run({
      assistant_id: "tell",
      input: {},
      config: { tags: ["t1"], metadata: { color: "red" }, configurable: { user: "ada", thread_id: "mine" }, extra: 1 },
      context: { tone: "low" },
      ...{ unknown_field: [1], feedback_keys: ["up"], langsmith_tracer: { project_name: "p", example_id: null } },
    });
    expect(told).toMatchObject({ user: "ada", thread_id: threadId, context: { tone: "low" }, color: "red" });
    expect(told.tags).toContain("t1");
  });

  test("a graph that goes on beyond its recursion limit fails, and keeps what it had reached", async () => {
    const answer = await run({ assistant_id: "endless", input: {}, config: { recursion_limit: 4 } });
    expect(answer).toMatchObject({
      __error__: { error: "GraphRecursionError", message: expect.stringContaining("4") },
    });
    expect(await all.client.threads.get(threadId)).toMatchObject({
      status: "error",
      values: { steps: ["again", "again", "again", "again"] },
    });
  });
});

describe("where a run stops and goes on", () => {
  test.each<[string, Body, string[], string[]]>([
    ["before a node", { interrupt_before: ["second"] }, ["first"], ["second"]],
    ["after a node", { interrupt_after: ["second"] }, ["first", "second"], ["third"]],
    ["before each", { interrupt_before: "*" }, [], ["first"]],
    ["after each", { interrupt_after: "*" }, ["first"], ["second"]],
    ["before and after", { interrupt_before: ["third"], interrupt_after: ["first"] }, ["first"], ["second"]],
    ["nowhere", { interrupt_before: [], interrupt_after: null }, ["first", "second", "third"], []],
  ])("%s", async (_name, fields, steps, next) => {
    expect(await stepsOf({ input: {}, ...fields })).toEqual(steps);
    expect([await nextOf(), await statusOf()]).toEqual([next, next.length > 0 ? "interrupted" : "idle"]);
    if (next.length > 0) expect(await stepsOf({ input: null })).toEqual(["first", "second", "third"]);
  });

  test("a command updates, goes to nodes, with inputs of their own, and answers", async () => {
    await run({ input: { gate: "ask" } });
    expect(await statusOf()).toBe("interrupted");
    const answered = { resume: "left", update: { told: "by command" } };
    expect(await stepsOf({ command: answered })).toEqual(["first", "second left", "third by command"]);

    expect((await run({ command: { update: [["steps", ["updated"]]], goto: "third" } })).steps.slice(-2)).toEqual([
      "updated",
      "third by command",
    ]);
    const sends = [
      { node: "third", input: { told: "one" } },
      { node: "third", input: { told: "two" } },
    ];
    expect((await run({ command: { goto: sends } })).steps.slice(-2)).toEqual(["third one", "third two"]);
    const both = await stepsOf({ command: { goto: ["first", "third"] } });
    expect(both.slice(-2)).toEqual(["first", "third by command"]);
  });

  test("strict_resume refuses the answer to a question that nobody asked, and the question stays", async () => {
    await run({ input: { gate: "ask" } });
    const wrong = { resume: { "0123456789abcdef0123456789abcdef": "left" } };
    expect(await run({ command: wrong, strict_resume: true })).toMatchObject({
      __error__: { error: "UnknownInterruptError" },
    });
    const { interrupts, status } = await all.client.threads.get(threadId);
    expect(status).toBe("interrupted");
    const [id] = Object.values(interrupts)
      .flat()
      .map((each) => each.id);
    const answer = { resume: { [String(id)]: "right" } };
    expect(await stepsOf({ command: answer, strict_resume: true })).toEqual(["first", "second right", "third"]);
  });
});

describe("a checkpoint to begin from", () => {
  test("is named in any of its three places, and a fork leaves what was there", async () => {
    await run({ input: {} });
    const before = (await history()).find(({ next }) => next[0] === "second")?.checkpoint.checkpoint_id;
    const names = [
      { checkpoint: { checkpoint_id: before, checkpoint_ns: "", checkpoint_map: null } },
      { checkpoint_id: before },
      { checkpoint: { checkpoint_ns: "" }, checkpoint_id: before },
      { config: { configurable: { checkpoint_id: before } } },
    ];
    for (const name of names)
      expect(await stepsOf({ command: { update: { told: "forked" } }, ...name })).toEqual([
        "first",
        "second",
        "third forked",
      ]);
    const ends = (await history()).filter(({ next }) => next.length === 0);
    expect(ends.map(({ values }) => values.steps.at(-1))).toEqual([...names.map(() => "third forked"), "third"]);
  });

  test.each([
    ["body", { checkpoint_id: uuid() }, 404],
    ["checkpoint", { checkpoint: { checkpoint_id: uuid() } }, 404],
    ["config", { config: { configurable: { checkpoint_id: uuid() } } }, 404],
    ["config, and is none", { config: { configurable: { checkpoint_id: 7 } } }, 422],
  ])("that is not there is refused: of the %s", async (_place, fields, status) => {
    for (const path of ["", "/stream", "/wait"]) {
      const answer = await send(`/threads/${threadId}/runs${path}`, { assistant_id: "walk", input: {}, ...fields });
      expect(answer).toMatchObject({ status, answer: { detail: expect.stringContaining("checkpoint") } });
    }
    expect(await all.client.runs.list(threadId)).toEqual([]);
  });
});

describe("durability", () => {
  test.each<[Body, number, number]>([
    [{ durability: "sync" }, 3, 5],
    [{ durability: "async" }, 3, 5],
    [{ durability: "exit" }, 0, 1],
    [{ checkpoint_during: true }, 3, 5],
    [{ checkpoint_during: false }, 0, 1],
    [{ checkpoint_during: true, durability: "exit" }, 0, 1],
  ])("%j stores %i checkpoints while a run is in its second step, and %i in all", async (fields, during, after) => {
    const input = { gate: threadId };
    const { answer } = await send(`/threads/${threadId}/runs`, { assistant_id: "walk", input, ...fields });
    const stream = all.client.runs.joinStream(threadId, String(answer.run_id), { lastEventId: "-1" });
    // Its first step is told, and the second waits: what is stored of both is on its way.
    for await (const { data } of stream) if ((data as State).steps?.length === 1) break;
    await expect.poll(async () => (await history()).length).toBe(during);
    await all.client.store.putItem(["gates"], threadId, {});
    await all.client.runs.join(threadId, String(answer.run_id));
    expect(await history()).toHaveLength(after);
    expect(await all.client.threads.get(threadId)).toMatchObject({ values: { steps: ["first", "second", "third"] } });
  });
});

describe("threads and times of runs", () => {
  test("if_not_exists makes the thread, with what the run's metadata says; else it is 404", async () => {
    threadId = uuid();
    expect(await send(`/threads/${threadId}/runs`, { assistant_id: "walk" })).toMatchObject({ status: 404 });
    await run({ input: {}, if_not_exists: "create", metadata: { team: "red" } });
    expect(await all.client.threads.get(threadId)).toMatchObject({
      metadata: { team: "red", graph_id: "walk" },
      status: "idle",
    });
  });

  test("after_seconds begins the run later, and not before", async () => {
    const started = Date.now();
    expect(await stepsOf({ input: {}, after_seconds: 0.5 })).toHaveLength(3);
    expect(Date.now() - started).toBeGreaterThanOrEqual(500);
  });

  test("on_completion keeps the thread of a stateless run, or deletes it", async () => {
    for (const [onCompletion, status] of [
      ["keep", 200],
      ["delete", 404],
    ] as const) {
      const body = { assistant_id: "walk", input: {}, on_completion: onCompletion };
      const { answer } = await send("/runs", body);
      const chunks = await collectChunks(
        all.client.runs.joinStream(null, String(answer.run_id), { lastEventId: "-1" }),
      );
      expect(chunks.at(-1)?.event).toBe("end");
      expect((await fetch(`${all.url}/threads/${answer.thread_id}/state`)).status).toBe(status);
    }
  });
});

describe("a batch", () => {
  const body = { assistant_id: "walk", assistantId: "walk", input: { gate: "ask" }, on_completion: "keep" };

  test("starts all its runs, in the order of the request", async () => {
    const runs = await all.client.runs.createBatch([
      { assistantId: "walk", input: {}, metadata: { n: 0 } },
      { assistantId: "tell", input: {}, metadata: { n: 1 } },
    ]);
    expect(runs.map(({ metadata }) => metadata?.n)).toEqual([0, 1]);
    const events = await Promise.all(
      runs.map((each) => collectChunks(all.client.runs.joinStream(null, each.run_id, { lastEventId: "-1" }))),
    );
    expect(events.map((chunks) => chunks.at(-1)?.event)).toEqual(["end", "end"]);
  });

  test.each<[string, unknown, number, RegExp]>([
    ["of none", [], 422, /^body: must not be empty/],
    ["that is no list", body, 422, /^body: must be a list/],
    ["with one of an unknown assistant", [body, { ...body, assistant_id: "nobody" }], 404, /nobody/],
    ["with a wrong field", [body, { ...body, stream_mode: "all" }], 422, /^body\.1\.stream_mode/],
    ["of too many", Array.from({ length: 1001 }, () => body), 422, /^body: must be at most 1000 runs/],
  ])("%s is refused, and starts none", async (_name, batch, status, detail) => {
    const runs = () => adminOf(all.redis).keys("*}:run:*");
    const before = (await runs()).length;
    const refused = await send("/runs/batch", batch);
    expect(refused).toMatchObject({ status, answer: { detail: expect.stringMatching(detail) } });
    expect(await runs()).toHaveLength(before);
  });
});

describe("a list of runs", () => {
  test("comes newest first, in pages, of a status, with the wanted fields", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.unshift((await all.client.runs.create(threadId, "tell", { input: {} })).run_id);
    await all.client.runs.join(threadId, ids[0] ?? "");
    const late = await all.client.runs.create(threadId, "tell", { input: {}, afterSeconds: 600 });
    const listed = async (query: string) =>
      (await (await fetch(`${all.url}/threads/${threadId}/runs?${query}`)).json()) as Body[];
    const runIds = async (query: string) => (await listed(query)).map(({ run_id }) => run_id);
    expect(await runIds("limit=2")).toEqual([late.run_id, ids[0]]);
    expect(await runIds("limit=2&offset=2")).toEqual(ids.slice(1));
    expect(await runIds("status=success&limit=2&offset=1")).toEqual(ids.slice(1));
    expect(await runIds("status=pending")).toEqual([late.run_id]);
    const selected = [{ run_id: late.run_id, status: "pending" }];
    expect(await listed("limit=1&select=run_id&select=status")).toEqual(selected);
    expect(await listed("limit=1&select=run_id,status")).toEqual(selected);
    expect(await all.client.runs.list(threadId, { limit: 1, select: ["run_id", "status"] })).toEqual(selected);
    const wrong = await fetch(`${all.url}/threads/${threadId}/runs?select=secret`);
    expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining("query.select.0")]);
  });
});

describe("graphs of other makes", () => {
  test.each(["zod3", "zod4"])("a state in %s: a question, an update, its schemas", async (graph) => {
    expect(await run({ assistant_id: graph, input: { count: 1 } })).toMatchObject({
      __interrupt__: [{ value: "how many more?" }],
    });
    expect(await run({ assistant_id: graph, command: { resume: 4 } })).toMatchObject({ count: 5 });
    await all.client.threads.updateState(threadId, { values: { count: 40 }, asNode: "add" });
    expect((await all.client.threads.get(threadId)).values).toMatchObject({ count: 40 });
    await expect
      .poll(async () => (await fetch(`${all.url}/assistants/${graph}/schemas`)).status, { timeout: 20_000 })
      .toBe(200);
    const { state_schema } = await all.client.assistants.getSchemas(graph);
    expect(state_schema).toMatchObject({ properties: { count: { type: "number" } } });
    expect(await run({ assistant_id: graph, input: { count: "many" } })).toMatchObject({
      __error__: expect.anything(),
    });
  });

  test("an agent of langchain asks before it uses its tool, and goes on", async () => {
    const input = { messages: [{ role: "user", content: "Rome" }] };
    expect(await run({ assistant_id: "agent", input })).toMatchObject({
      __interrupt__: [{ value: { actionRequests: [{ name: "weather", args: { city: "Rome" } }] } }],
    });
    expect(await statusOf()).toBe("interrupted");
    const command = { resume: { decisions: [{ type: "approve" }] } };
    const answer = (await run({ assistant_id: "agent", command })) as unknown as { messages: Body[] };
    expect(answer.messages.map(({ type, content }) => [type, content])).toEqual([
      ["human", "Rome"],
      ["ai", ""],
      ["tool", "sun in Rome"],
      ["ai", "I was told: sun in Rome"],
    ]);
    await all.client.threads.updateState(threadId, { values: { messages: [{ role: "user", content: "Oslo" }] } });
    const { messages } = (await all.client.threads.getState<{ messages: Body[] }>(threadId)).values;
    expect(messages.at(-1)).toMatchObject({ type: "human", content: "Oslo" });
  });
});
