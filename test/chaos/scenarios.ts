/** What one user does, from the first request until nothing is open any more: the kinds of load. */
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "@langchain/langgraph-sdk";
import { v4 as uuid } from "uuid";
import { askFor, cancel, definite, digest, follow, newFollower, type Site, see, watchEnd } from "./client.js";
import type { AskedRun, Cancel, Deletion } from "./history.js";

type Scenario = (site: Site) => Promise<void>;

const RUN_STEPS = { least: 2, most: 5 };
const LONG_STEPS = 12;

function newRun(given: Partial<AskedRun> = {}): AskedRun {
  const runId = given.runId ?? uuid();
  return {
    runId,
    threadId: uuid(),
    graph: "count",
    steps: 3,
    strategy: "enqueue",
    lifetime: "thread",
    askedAt: Date.now(),
    answer: "unknown",
    ...given,
  };
}

function body(site: Site, run: AskedRun, more: Record<string, unknown> = {}) {
  return {
    assistant_id: run.graph,
    input: { steps: [], count: run.steps, pace_ms: site.random.between(30, 120) },
    stream_mode: ["values", "updates"],
    ...(run.lifetime === "thread"
      ? { if_not_exists: "create", multitask_strategy: run.strategy }
      : { on_completion: run.lifetime }),
    ...more,
  };
}

const someSteps = ({ random }: Site) => random.between(RUN_STEPS.least, RUN_STEPS.most);

/** In the background, joined later by one client or two. */
const background: Scenario = async (site) => {
  const run = newRun({ steps: someSteps(site) });
  const response = await askFor(site, run, "", body(site, run));
  await response?.body?.cancel();
  if (!response?.ok) return;
  await Promise.all([follow(site, run, { cuts: true }), site.random.chance(0.3) && follow(site, run)]);
};

/** As a stream; a second client joins on whichever server. */
const streaming: Scenario = async (site) => {
  const run = newRun({ steps: someSteps(site) });
  const opened = await askFor(site, run, "/stream", body(site, run));
  if (!opened?.ok) return;
  await Promise.all([follow(site, run, { opened, cuts: true }), site.random.chance(0.5) && follow(site, run)]);
};

/** As the official SDK streams, with its own way to go on after a cut. */
const withSdk: Scenario = async (site) => {
  const run = newRun({ steps: someSteps(site) });
  site.history.asked.push(run);
  const headers = { "idempotency-key": run.runId };
  const client = new Client({ apiUrl: site.url, defaultHeaders: headers, callerOptions: { maxRetries: 8 } });
  const { assistant_id: assistantId, ...fields } = body(site, run);
  const follower = newFollower(site, run, "sdk");
  try {
    const payload = {
      input: fields.input,
      streamMode: ["values" as const, "updates" as const],
      streamResumable: true,
      ifNotExists: "create" as const,
      signal: site.giveUp,
    };
    for await (const { id, event, data } of client.runs.stream(run.threadId, assistantId, payload)) {
      run.answer = "accepted";
      run.answeredAt ??= Date.now();
      see(follower, { ...(id !== undefined && { id }), event, data: JSON.stringify(data) });
    }
  } catch {
    // It gave up: after its tries, or because the load balancer had no server.
  }
  if (follower.outcome === "end") return;
  const known = await definite(site, `/threads/${run.threadId}/runs/${run.runId}`, { method: "GET" });
  await known?.body?.cancel();
  if (!known?.ok) return;
  run.answer = "accepted";
  await follow(site, run, { follower });
};

/** Without a thread: nothing is left of it but what its clients saw. */
const stateless: Scenario = async (site) => {
  const run = newRun({ steps: someSteps(site), lifetime: site.random.chance(0.8) ? "delete" : "keep" });
  run.threadId = run.runId;
  const opened = await askFor(site, run, "/stream", body(site, run));
  if (opened?.ok) await follow(site, run, { opened, cuts: true });
};

/** Waits for the answer; one that is cut asks again under the same key, and is told of the same run. */
const waiting: Scenario = async (site) => {
  const run = newRun({ steps: someSteps(site), lifetime: "delete" });
  run.threadId = run.runId;
  const request = body(site, run);
  for (let first = true; !site.giveUp.aborted; first = false) {
    if (!first) site.history.asked.splice(site.history.asked.indexOf(run), 1);
    const response = await askFor(site, run, "/wait", request);
    const answer = (await response?.json().catch(() => undefined)) as { steps?: string[] } | undefined;
    if (!answer) continue;
    if (response?.ok && !("__error__" in answer)) run.told = answer.steps ?? [];
    return;
  }
};

/** A human is asked, and answers: the guarded step is done once, after the answer. */
const human: Scenario = async (site) => {
  const question = newRun({ graph: "ask", steps: 1 });
  const asked = await askFor(site, question, "/stream", body(site, question));
  if (!asked?.ok) return;
  await follow(site, question, { opened: asked });
  await delay(site.random.between(0, 300));
  const answer = newRun({ graph: "ask", steps: 1, threadId: question.threadId });
  const { input: _, ...fields } = body(site, answer);
  const answered = await askFor(site, answer, "/stream", { ...fields, command: { resume: "yes" } });
  if (answered?.ok) await follow(site, answer, { opened: answered, cuts: true });
};

/** A graph that throws: the run ends with its error, and is not tried again. */
const throwing: Scenario = async (site) => {
  const run = newRun({ graph: "throws" });
  const opened = await askFor(site, run, "/stream", body(site, run));
  if (opened?.ok) await follow(site, run, { opened });
};

/** Stopped before it began, in the middle, or when it has ended. */
const cancelled: Scenario = async (site) => {
  const run = newRun({ steps: LONG_STEPS });
  const after = site.random.chance(0.15) ? { after_seconds: 30 } : {};
  const opened = await askFor(site, run, "/stream", body(site, run, after));
  if (!opened?.ok) return;
  const cancelling = async () => {
    await delay(site.random.between(0, 900));
    const action = site.random.chance(0.25) ? "rollback" : "interrupt";
    await cancel(site, run, { action, wait: site.random.chance(0.3) });
  };
  await Promise.all([follow(site, run, { opened }), cancelling()]);
};

/** Several runs of a thread stopped by one request. */
const manyCancelled: Scenario = async (site) => {
  const first = newRun({ steps: LONG_STEPS });
  const runs = [first, ...[0, 0].map(() => newRun({ steps: LONG_STEPS, threadId: first.threadId }))];
  for (const run of runs) await (await askFor(site, run, "", body(site, run)))?.body?.cancel();
  const accepted = runs.filter(({ answer }) => answer === "accepted");
  await delay(site.random.between(0, 500));
  const records = accepted.map(({ runId, threadId }): Cancel => {
    return { runId, threadId, action: "interrupt", wait: false, askedAt: Date.now() };
  });
  const response = await definite(site, "/runs/cancel", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ thread_id: first.threadId, run_ids: accepted.map(({ runId }) => runId) }),
  });
  await response?.body?.cancel();
  for (const record of records) Object.assign(record, { answeredAt: Date.now(), status: response?.status });
  site.history.cancels.push(...records);
  await Promise.all(
    accepted.map((run, at) => Promise.all([follow(site, run), watchEnd(site, run, records[at] ?? {})])),
  );
};

const STRATEGIES = ["enqueue", "enqueue", "reject", "interrupt", "rollback"] as const;

/** A user who does not wait for the answer: runs of every strategy on a busy thread. */
const doubleTexted: Scenario = async (site) => {
  const threadId = uuid();
  const following: Promise<void>[] = [];
  for (const [at, strategy] of ["enqueue" as const, ...site.random.shuffled(STRATEGIES)].entries()) {
    const run = newRun({ threadId, strategy, steps: at === 0 ? LONG_STEPS : 3 });
    const after = site.random.chance(0.2) ? { after_seconds: site.random.between(1, 8) / 10 } : {};
    const opened = await askFor(site, run, "/stream", body(site, run, after));
    if (opened?.ok) following.push(follow(site, run, { opened, cuts: site.random.chance(0.3) }));
    else await opened?.body?.cancel();
    await delay(site.random.between(0, 250));
  }
  await Promise.all(following);
};

/** A thread that is deleted while runs are open on it. */
const deleted: Scenario = async (site) => {
  const first = newRun({ steps: LONG_STEPS });
  const second = newRun({ steps: 3, threadId: first.threadId });
  const following: Promise<void>[] = [];
  for (const run of [first, second]) {
    const opened = await askFor(site, run, "/stream", body(site, run));
    if (opened?.ok) following.push(follow(site, run, { opened }));
  }
  await delay(site.random.between(0, 600));
  const record: Deletion = { threadId: first.threadId, askedAt: Date.now() };
  site.history.deletions.push(record);
  const response = await definite(site, `/threads/${first.threadId}`, { method: "DELETE" });
  Object.assign(record, {
    answeredAt: Date.now(),
    ...(response && { status: response.status === 404 ? 204 : response.status }),
  });
  await Promise.all(following);
};

/** What the API refuses must leave nothing behind. */
const refusedRequests: Scenario = async (site) => {
  const run = newRun({ steps: 2 });
  const opened = await askFor(site, run, "/stream", body(site, run));
  if (!opened?.ok) return;
  const bad = [
    [newRun({ threadId: run.threadId }), { multitask_strategy: "whatever" }],
    [newRun({ threadId: run.threadId }), { after_seconds: -1 }],
    [newRun(), { if_not_exists: "reject" }],
    [newRun(), { assistant_id: "nobody" }],
  ] as const;
  for (const [other, fields] of bad) await (await askFor(site, other, "", body(site, other, fields)))?.body?.cancel();
  // The same key for another request: the run stays as it is.
  const response = await definite(site, `/threads/${run.threadId}/runs`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": run.runId },
    body: JSON.stringify(body(site, run, { metadata: { other: digest(run.runId) } })),
  });
  await response?.body?.cancel();
  await follow(site, run, { opened });
};

/** Each with its share of the load. */
export const scenarios: Record<string, { share: number; play: Scenario }> = {
  background: { share: 3, play: background },
  streaming: { share: 3, play: streaming },
  sdk: { share: 2, play: withSdk },
  stateless: { share: 3, play: stateless },
  waiting: { share: 2, play: waiting },
  human: { share: 3, play: human },
  throwing: { share: 1, play: throwing },
  cancelled: { share: 3, play: cancelled },
  manyCancelled: { share: 1, play: manyCancelled },
  doubleTexted: { share: 3, play: doubleTexted },
  deleted: { share: 1, play: deleted },
  refused: { share: 1, play: refusedRequests },
};
