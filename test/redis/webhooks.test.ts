/** Webhooks of runs that end in every way, with receivers and deliverers that fail in every way. */
import type { ServerResponse } from "node:http";
import pino from "pino";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Runs } from "../../app/runs/runs.js";
import { scripts } from "../../app/runs/scripts.js";
import { type ClaimedRun, type NewRun, RunRefused } from "../../app/runs/types.js";
import { Deliverer, type DelivererDeps, type DelivererSettings } from "../../app/webhooks/deliverer.js";
import { type Posted, post } from "../../app/webhooks/post.js";
import { type Core, newRun, silent, soon, startCore, success } from "../support/core.js";
import { answers, hangs, type Receiver, receiver } from "../support/receiver.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
let threadId: string;
beforeEach(async () => {
  await core.admin.flushall();
  threadId = uuid();
});
afterAll(() => core.stop());

const local = {
  ...{ requireHttps: false, allowedDomains: [], allowedPorts: [], maxUrlLength: 8_192 },
  ...{ disableLoopback: false, privateHosts: [] },
};
const send: DelivererDeps["post"] = (address, body, signal) =>
  post(address, body, { rules: local, headers: {}, timeoutMs: 10_000, signal });

/** A worker's, until the test ends. */
function deliver(settings: Partial<DelivererSettings> = {}, deps: Partial<DelivererDeps> = {}): Deliverer {
  const quick = { sweepMs: 20, leaseMs: 30_000, pausesMs: [1, 1] };
  const deliverer = new Deliverer({ ...core, post: send, log: silent, ...deps }, { ...quick, ...settings });
  onTestFinished(() => deliverer.stop());
  return deliverer;
}

async function accept(webhook: string, given: Partial<NewRun> = {}): Promise<NewRun> {
  const run = newRun({ threadId, metadata: { topic: "trains" }, ...given });
  run.payload.webhook = webhook;
  if (run.lifetime !== "thread") run.threadId = run.runId;
  await core.runs.enqueue(run);
  return run;
}

/** Accepted and ended. */
async function ended(webhook: string, given: Partial<NewRun> = {}): Promise<ClaimedRun> {
  const { threadId: thread } = await accept(webhook, given);
  const run = await core.claim(thread);
  await core.attempts.finish(run, success, 1, []);
  return run;
}

const outbox = async () => (await core.admin.keys("*")).filter((key) => key.includes(":webhook"));
const delivered = () => soon(async () => expect(await outbox()).toEqual([]));

const failure = { status: "error", threadStatus: "error", answer: '{"__error__":{"error":"E"}}' } as const;
const error = '{"error":"TypeError","message":"no such tool"}';

describe("what is told", () => {
  test("is the run as it ended, once, and nothing of it stays", async () => {
    const to = await receiver();
    const configurable = { model: "small", openai_api_key: "sk-secret" };
    const payload = { stream_mode: ["values"], input: { messages: [] }, config: { configurable } };
    const run = await ended(`${to.url}/hook`, { payload });
    // What happens to the run and its thread afterwards changes nothing.
    await core.removals.deleteThread(threadId);
    deliver();
    await delivered();
    expect(to.told).toHaveLength(1);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(to.told[0]?.run).toEqual({
      ...{ run_id: run.runId, thread_id: threadId, assistant_id: run.assistantId, status: "success" },
      ...{ created_at: time, updated_at: time, run_started_at: time, run_ended_at: time, webhook_sent_at: time },
      ...{ metadata: { topic: "trains" }, multitask_strategy: "enqueue", values: { done: true } },
      kwargs: {
        ...{ stream_mode: ["values"], input: { messages: [] }, webhook: `${to.url}/hook` },
        ...{ config: { configurable: { model: "small" } }, subgraphs: false, resumable: false },
      },
    });
  });

  const ends: [string, Partial<NewRun>, (run: NewRun) => Promise<unknown>, object][] = [
    [
      "a stateless run, whose record goes",
      { lifetime: "delete" },
      async (run) => core.attempts.finish(await core.claim(run.threadId), success, 1, []),
      { status: "success", values: { done: true } },
    ],
    [
      "a stateless run that failed",
      { lifetime: "delete" },
      async (run) => core.attempts.finish(await core.claim(run.threadId), { ...failure, error }, 1, []),
      { status: "error", values: null, error: { error: "TypeError", message: "no such tool" } },
    ],
    [
      "a run that failed, with the state that it had reached",
      {},
      async (run) => {
        const outcome = { ...failure, error, state: { values: '{"n":1}', interrupts: "{}" } };
        return core.attempts.finish(await core.claim(run.threadId), outcome, 1, []);
      },
      { status: "error", values: { n: 1 }, error: { error: "TypeError", message: "no such tool" } },
    ],
    [
      "a run that was cancelled before it began",
      { afterMs: 60_000 },
      (run) => core.runs.cancel(run.threadId, run.runId),
      { status: "interrupted", run_started_at: null, values: {} },
    ],
    [
      "a run that its worker stopped",
      {},
      async (run) => {
        const held = await core.claim(run.threadId);
        await core.runs.cancel(run.threadId, run.runId);
        await core.attempts.finish(held, { ...success, status: "interrupted" }, 1, []);
      },
      { status: "interrupted", values: { done: true } },
    ],
    [
      "a run whose worker did not answer its cancel",
      {},
      async (run) => {
        await core.claim(run.threadId);
        await core.runs.cancel(run.threadId, run.runId);
        await scripts.overrule.run(core.redis, core.keys.of(run.threadId, "run", run.runId), run.runId);
      },
      { status: "interrupted" },
    ],
    [
      "a run that took its last worker down",
      {},
      async (run) => {
        await core.claim(run.threadId, 1);
        await soon(async () => {
          await core.sweep({ maxFailures: 1 });
          expect(await outbox()).not.toEqual([]);
        });
      },
      { status: "error", error: expect.objectContaining({ error: "WorkerLost" }) },
    ],
  ];
  test.each(ends)("%s", async (_name, given, end, expected) => {
    const to = await receiver();
    const run = await accept(to.url, given);
    await end(run);
    deliver();
    await delivered();
    expect(to.told.map((each) => each.run)).toMatchObject([{ run_id: run.runId, ...expected }]);
    expect("error" in (to.told[0]?.run ?? {})).toBe("error" in expected);
  });

  test("leaves out runs that never were: those rolled back, and open ones of a deleted thread", async () => {
    const to = await receiver();
    const rolledBack = await accept(to.url);
    await core.claim(threadId);
    await core.runs.cancel(threadId, rolledBack.runId, "rollback");
    const deleted = await accept(to.url, { threadId: uuid() });
    await core.removals.deleteThread(deleted.threadId);
    expect(await outbox()).toEqual([]);
    const last = await ended(to.url, { threadId: uuid() });
    deliver();
    await delivered();
    expect(to.told.map(({ run }) => run.run_id)).toEqual([last.runId]);
  });

  test("keeps numbers that JavaScript would round", async () => {
    const to = await receiver();
    let body = "";
    await accept(to.url);
    const exact = { ...success, answer: '{"n":12345678901234567890}', state: undefined };
    await core.attempts.finish(await core.claim(threadId), exact, 1, []);
    const keep: DelivererDeps["post"] = async (_address, sent) => {
      body = sent;
      return { kind: "delivered", status: 204 };
    };
    deliver({}, { post: keep });
    await delivered();
    expect(body).toContain('"values":{"n":12345678901234567890}');
  });
});

describe("a webhook", () => {
  const refusing = (webhooks: (address: string) => string) =>
    new Runs({ ...core, commands: core.redis, webhooks, outageSeconds: 90, log: silent });

  test("that is refused leaves nothing behind, and one that is switched off sends nothing", async () => {
    const run = newRun({ threadId, idIsGiven: true });
    run.payload.webhook = "https://example.com";
    const refuses = refusing(() => {
      throw new RunRefused("webhook_refused", "no");
    });
    onTestFinished(() => refuses.close());
    await expect(refuses.enqueue(run)).rejects.toMatchObject({ reason: "webhook_refused" });
    expect(await core.admin.keys("*")).toEqual([]);

    const off = refusing(() => "");
    onTestFinished(() => off.close());
    await off.enqueue(run);
    await core.attempts.finish(await core.claim(threadId), success, 1, []);
    expect(await outbox()).toEqual([]);
  });

  test("goes again to a receiver that fails, until it is taken", async () => {
    const to = await receiver((response) => {
      const status = [500, 429, 200][to.told.length - 1] ?? 200;
      response.writeHead(status).end();
    });
    const run = await ended(to.url);
    deliver();
    await delivered();
    expect(to.told.map((each) => each.run.run_id)).toEqual([run.runId, run.runId, run.runId]);
  });

  test.each([
    ["after its last try", answers(503), 3, "status 503"],
    ["at once where another try would change nothing", answers(404), 1, "status 404"],
    ["at once where it is sent elsewhere", answers(302, { location: "http://127.0.0.1:1/" }), 1, "status 302"],
  ])("is given up %s, with a line that tells nothing of it", async (_when, answer, times, reason) => {
    const lines: string[] = [];
    const log = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) });
    const to = await receiver(answer);
    const run = await ended(`${to.url}/secret-path?key=secret-key`);
    deliver({}, { log });
    await delivered();
    expect(to.told).toHaveLength(times);
    const last = JSON.parse(lines.at(-1) ?? "{}");
    const { host } = new URL(to.url);
    expect(last).toMatchObject({ event: "webhook_given_up", runId: run.runId, host, tries: times, reason });
    expect(lines.join("")).not.toMatch(/secret|trains|done/);
  });

  test("waits between its tries", async () => {
    const to = await receiver(answers(500));
    await ended(to.url);
    const deliverer = deliver({ pausesMs: [60_000] });
    const due = async () =>
      Number((await core.admin.zrange(core.keys.of(threadId, "webhooks"), "0", "0", "WITHSCORES"))[1]);
    await soon(async () => {
      expect(to.told).toHaveLength(1);
      expect((await due()) - Date.now()).toBeGreaterThan(40_000);
    });
    deliverer.look();
    await deliverer.stop();
    expect(to.told).toHaveLength(1);
  });

  test("whose deliverer is gone is sent by another, and the word of the first no longer counts", async () => {
    const to = await receiver();
    const run = await ended(to.url);
    let settle = (_posted: Posted) => {};
    const stuck = new Promise<Posted>((resolve) => {
      settle = resolve;
    });
    const stuckPost = vi.fn(() => stuck);
    const first = deliver({ leaseMs: 200, sweepMs: 100_000 }, { post: stuckPost });
    first.look();
    await soon(() => expect(stuckPost).toHaveBeenCalledOnce());
    deliver();
    await delivered();
    expect(to.told.map((each) => each.run.run_id)).toEqual([run.runId]);
    settle({ kind: "failed", reason: "timeout", mayTryAgain: true });
    await first.stop();
    expect(await outbox()).toEqual([]);
  });

  test("under way in a worker that stops is left to others, and counts as no try", async () => {
    const to = await receiver(hangs);
    await ended(to.url);
    const stopping = deliver({ sweepMs: 100_000 });
    stopping.look();
    await soon(() => expect(to.told).toHaveLength(1));
    await stopping.stop();
    to.answer = answers(204);
    deliver({ pausesMs: [] });
    await delivered();
    expect(to.told).toHaveLength(2);
  });

  test("does not wait behind those of a receiver that hangs", async () => {
    const held: ServerResponse[] = [];
    const slow = await receiver((response) => void held.push(response));
    for (let count = 0; count < 60; count++) await ended(slow.url, { threadId: uuid() });
    const to = await receiver();
    await ended(to.url, { threadId: uuid() });
    deliver();
    await soon(() => expect(to.told).toHaveLength(1));
    expect(slow.told.length).toBeLessThan(32);
    slow.answer = answers(204);
    for (const response of held) response.end();
  });

  test("does not wait behind one that its receiver has just failed to take, where it takes most", async () => {
    let asked = 0;
    const to = await receiver((response) => response.writeHead(++asked % 10 === 5 ? 503 : 204).end());
    for (let at = 0; at < 200; at++) await ended(to.url, { threadId: uuid() });
    deliver({ pausesMs: [60_000] });
    // Those behind a receiver that is held to fail wait for five seconds.
    await vi.waitFor(() => expect(to.told).toHaveLength(200), { timeout: 4_000 });
  });

  test("comes through where hundreds are due at once", async () => {
    const others: Receiver = await receiver();
    const runs = await Promise.all(Array.from({ length: 150 }, () => ended(others.url, { threadId: uuid() })));
    const deliverers = [deliver(), deliver()];
    for (const each of deliverers) each.look();
    await delivered();
    expect(others.told.map(({ run }) => run.run_id).sort()).toEqual(runs.map(({ runId }) => runId).sort());
  });
});
