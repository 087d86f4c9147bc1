/** The moves that decide most: what is accepted, who gets a run, how it ends, what a sweep heals. */
import { expect } from "vitest";
import {
  type Attempt,
  GRACE_MS,
  LEASE_MS,
  type Lifetime,
  MAX_FAILURES,
  type Model,
  type RunState,
  type Strategy,
  SWEEP_MS,
} from "./model.js";
import type { Real } from "./real.js";

export interface Request {
  id: string;
  thread: string;
  graph: string;
  lifetime: Lifetime;
  strategy: Strategy;
  ifMissing: string;
  afterMs: number;
  hash: string;
}

export async function enqueued(model: Model, real: Real, request: Request): Promise<void> {
  const { id, thread, graph, lifetime, strategy, ifMissing, afterMs, hash } = request;
  const where = [id, thread, graph, "a", lifetime, strategy, ifMissing];
  const args = [...where, afterMs, 0, "{}", "{}", hash, "{}", GRACE_MS, "", "", ""];
  expect(await real.call("enqueue", `run:${id}`, ...args)).toEqual(accepted(model, request));
}

function accepted(model: Model, request: Request): unknown[] {
  const { id, thread: threadId, graph, lifetime, strategy, ifMissing, afterMs, hash } = request;
  const known = model.runs.get(id);
  if (known) return known.hash === hash ? ["same", known.status] : ["id_reused"];
  if (model.removals.has(threadId)) return ["thread_deleting"];
  const held = model.threads.get(threadId);
  if (held && lifetime !== "thread") return ["id_taken"];
  if (held?.lifetime === "delete" || (!held && ifMissing !== "create")) return ["thread_missing"];
  if (held && strategy === "reject" && held.open > 0) {
    const active = model.runs.get(held.active)?.where;
    return ["thread_busy", active && active !== "gone" ? held.active : ""];
  }

  if (!held) model.createThread(threadId, lifetime);
  model.promoteDue();
  let removing = "";
  const requested: string[] = [];
  for (const other of strategy === "interrupt" || strategy === "rollback" ? model.openRuns(threadId) : []) {
    if (strategy === "interrupt") {
      if (model.cancel(other) === "requested") requested.push(other.id);
    } else if (model.rollBack(other)) {
      removing = other.id;
    }
  }
  const thread = model.thread(threadId);
  thread.open += 1;
  const run: RunState = {
    ...{ id, thread: threadId, graph, lifetime, hash, due: model.now + afterMs, place: ++thread.accepted },
    ...{ where: "delayed", status: "pending", attempt: 0, failures: 0, owner: "", endedBy: "", cancel: "" },
    ...{ leaseUntil: 0, overruleAt: undefined, events: ["0-1 enqueued"] },
  };
  model.runs.set(id, run);
  if (afterMs === 0) model.lineUp(run);
  return ["accepted", model.now, removing, ...requested];
}

/** A claim, and what the worker may do from now on. I2, I5: the model says which runs it gets, in which order. */
export async function handedOut(
  model: Model,
  real: Real,
  { owner, limit, graphs, again }: { owner: string; limit: number; graphs: string[]; again: boolean },
): Promise<Attempt[]> {
  const answer = await real.call("claim", "leases", limit, owner, LEASE_MS, again ? "1" : "", ...graphs);
  const [, ...claimed] = answer as [number, ...string[][]];

  model.promoteDue();
  const held = again ? model.leased().filter((run) => run.owner.startsWith(`${owner}.`)) : [];
  const runs = held.length > 0 ? held : graphs.flatMap((graph) => model.ready(graph)).slice(0, limit);
  if (held.length === 0) {
    for (const [index, run] of runs.entries()) {
      Object.assign(run, { where: "leased", status: "running", owner: `${owner}.${index + 1}` });
      Object.assign(run, { leaseUntil: model.now + LEASE_MS, attempt: run.attempt + 1 });
      model.append(run, ["metadata"], { number: run.attempt, seq: 0 });
    }
  }
  const expected = runs.map((run) => [run.id, run.owner, run.thread, String(run.attempt)]);
  expect(claimed.map(([id, nonce, thread, , , , attempt]) => [id, nonce, thread, attempt])).toEqual(expected);
  return runs.map(({ id, thread, owner, attempt }) => ({ run: id, thread, owner, attempt, nextSeq: 1 }));
}

export async function finished(
  { model, real }: { model: Model; real: Real },
  attempt: Attempt,
  { status, events, withState }: { status: string; events: number; withState: boolean },
): Promise<void> {
  const { run: id, thread, owner } = attempt;
  const names = [...Array<string>(events).fill("values"), ...(status === "error" ? ["error"] : [])];
  const threadStatus = status === "success" ? "idle" : status;
  const failure = status === "error" ? '{"error":"E","message":"m"}' : "";
  const outcome = [status, threadStatus, "{}", withState ? "{}" : "", "{}", failure];
  const place = [id, thread, owner, attempt.attempt, attempt.nextSeq];
  const answer = await real.call("finish", `run:${id}`, ...place, ...outcome, ...names.flatMap((name) => [name, "{}"]));

  const run = model.runs.get(id);
  if (!run || model.fenced(attempt)) {
    const before = run?.where === "terminal" && run.endedBy === owner && model.runs.has(id);
    expect(answer).toBe(before ? "ended" : "lost");
    return;
  }
  expect(answer).toBe("ended");
  const stopped = run.cancel !== "";
  const failedByStop = stopped && status === "error";
  model.end(run, stopped ? "interrupted" : status, {
    events: failedByStop ? names.slice(0, -1) : names,
    by: owner,
    threadStatus: failedByStop ? "interrupted" : threadStatus,
    told: withState,
  });
}

/** I6: the failure that reaches the limit ends the run. An outage of sweeps takes no run from its worker. */
export async function swept(model: Model, real: Real): Promise<void> {
  const answer = await real.call("sweep", "leases", LEASE_MS, SWEEP_MS, MAX_FAILURES, 100);
  const [requeued, failed, overruled] = answer as string[][];

  const extend = model.swept !== undefined && model.now - model.swept > 3 * SWEEP_MS;
  model.swept = model.now;
  const expected = { requeued: [] as string[], failed: [] as string[], overruled: [] as string[] };
  if (extend) for (const run of model.leased()) run.leaseUntil = Math.max(run.leaseUntil, model.now + LEASE_MS);
  const overrule = (run: RunState) => {
    model.endCancelled(run);
    expected.overruled.push(run.id);
  };
  for (const run of model.leased().filter(({ overruleAt }) => overruleAt && overruleAt <= model.now)) overrule(run);
  for (const run of model.leased().filter(({ leaseUntil }) => leaseUntil <= model.now)) {
    run.failures += 1;
    if (run.cancel) overrule(run);
    else if (run.failures >= MAX_FAILURES) {
      model.end(run, "error", { events: ["error"], threadStatus: "error" });
      expected.failed.push(run.id);
    } else {
      model.toReady(run);
      expected.requeued.push(run.id);
    }
  }
  model.promoteDue();
  const sorted = (lists: (string[] | undefined)[]) => lists.map((list) => [...(list ?? [])].sort());
  expect(sorted([requeued, failed, overruled])).toEqual(
    sorted([expected.requeued, expected.failed, expected.overruled]),
  );
}

/** The record of a run that had ended is deleted. Whether its checkpoints, the newest of an idle thread, go too. */
export function ended(model: Model, run: RunState): boolean {
  run.where = "gone";
  run.events = [];
  const thread = model.thread(run.thread);
  const newest = model.checkpoints.get(run.thread)?.at(-1);
  if (thread.active !== "" || newest?.run !== run.id) return false;
  Object.assign(thread, { settled: "idle", stale: true });
  model.beginRemoval(run);
  return true;
}
