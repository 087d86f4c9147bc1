/** After each move: Redis holds what the model holds, and the invariants that need no model hold too. */
import { expect } from "vitest";
import { toFields } from "../../../app/redis/scripts.js";
import { indexOf } from "../../support/threadIndex.js";
import { lastOf, type Model, type RunState } from "./model.js";
import type { Real } from "./real.js";

type Dump = Map<string, string[]>;
const pairs = (flat: string[] = []): [string, number][] =>
  flat.flatMap((member, at) => (at % 2 === 0 ? [[member, Number(flat[at + 1])] as [string, number]] : []));
const members = (flat?: string[]) => pairs(flat).map(([member]) => member);
const ids = (runs: RunState[]) => runs.map(({ id }) => id);
const named = (dump: Dump, kind: string) =>
  [...dump].flatMap(([key, held]) => (key.startsWith(`${kind}:`) ? [[key.slice(kind.length + 1), held] as const] : []));

export async function compare(model: Model, real: Real): Promise<void> {
  const dump = await real.dump();
  expect(inRedis(dump, model)).toEqual(inModel(model));
  for (const [run, events] of named(dump, "events")) contiguous(run, events, model);
  nothingStray(dump, model);
  indexed(dump);
}

function inModel(model: Model) {
  const leased = model.leased();
  const threads = [...model.threads];
  return {
    threads: Object.fromEntries(
      threads.map(([id, { active, open, settled, accepted, seq, stale, ...thread }]) => [
        id,
        { active, open, settled, accepted, seq, stale, status: model.status(model.thread(id)), of: thread.lifetime },
      ]),
    ),
    runs: Object.fromEntries(
      [...model.runs.values()]
        .filter(({ where }) => where !== "gone")
        .map((run) => {
          const { id, status, attempt, failures, owner, cancel } = run;
          const last = lastOf(run);
          return [id, { status, attempt, failures, owner, cancel, last: `${last.attempt}-${last.seq}` }];
        }),
    ),
    events: Object.fromEntries(
      [...model.runs.values()].filter(({ events }) => events.length > 0).map(({ id, events }) => [id, events]),
    ),
    delayed: ids(model.in("delayed")).sort(),
    waiting: groups(
      model.in("waiting"),
      ({ thread }) => thread,
      (thread) => ids(model.waiting(thread)),
    ),
    ready: groups(
      model.in("ready"),
      ({ graph }) => graph,
      (graph) => ids(model.ready(graph)),
    ),
    leases: leased.map(({ id, leaseUntil }) => [id, leaseUntil]),
    cancels: Object.fromEntries(leased.flatMap((run) => (run.overruleAt ? [[run.id, run.overruleAt]] : []))),
    removals: [...model.removals].sort(),
    checkpoints: Object.fromEntries(
      [...model.checkpoints]
        .filter(([thread, list]) => list.length > 0 && !isRemoving(model, thread))
        .map(([thread, list]) => [thread, list.map(({ id }) => id)]),
    ),
  };
}

function inRedis(dump: Dump, model: Model): ReturnType<typeof inModel> {
  return {
    threads: Object.fromEntries(
      named(dump, "thread").map(([id, held]) => {
        const { active = "", open, settled = "", accepted, seq, stale, status = "", lifetime } = toFields(held);
        const counts = { open: Number(open), accepted: Number(accepted), seq: Number(seq) };
        return [id, { active, settled, status, stale: stale === "1", of: lifetime as "thread", ...counts }];
      }),
    ),
    runs: Object.fromEntries(
      named(dump, "run").map(([id, held]) => {
        const { status = "", attempt, failures, owner = "", cancel = "", last = "" } = toFields(held);
        return [id, { status, owner, cancel, last, attempt: Number(attempt), failures: Number(failures) }];
      }),
    ),
    events: Object.fromEntries(named(dump, "events")),
    delayed: members(dump.get("delayed")).sort(),
    waiting: Object.fromEntries(
      named(dump, "waiting").map(([thread, held]) => [
        thread,
        members(held).map((member) => member.split(":")[1] ?? ""),
      ]),
    ),
    ready: Object.fromEntries(named(dump, "ready").map(([graph, held]) => [graph, members(held)])),
    leases: pairs(dump.get("leases")),
    cancels: Object.fromEntries(pairs(dump.get("cancels"))),
    removals: members(dump.get("removals")).sort(),
    checkpoints: Object.fromEntries(
      named(dump, "checkpoints")
        .map(([name, held]) => [name.replace(/:$/, ""), members(held)] as const)
        .filter(([thread]) => !isRemoving(model, thread)),
    ),
  };
}

/** What is half removed is looked at when it is gone. */
const isRemoving = (model: Model, thread: string) =>
  [...model.removals].some((removal) => removal.split(":")[0] === thread);

function groups(runs: RunState[], of: (run: RunState) => string, list: (group: string) => string[]) {
  return Object.fromEntries([...new Set(runs.map(of))].map((group) => [group, list(group)]));
}

/** I1, I4: after `a-s` comes `a-(s+1)`, or `b-0` with b > a; `end` comes once, and last, exactly for what has ended. */
function contiguous(run: string, events: string[], model: Model): void {
  let [attempt, seq] = [0, 0];
  for (const event of events) {
    const [next = 0, at = 0] = event.split(" ")[0]?.split("-").map(Number) ?? [];
    const follows = next === attempt ? at === seq + 1 : next > attempt && at === 0;
    if (!follows) expect.fail(`run ${run} has a gap before ${event}: ${events.join(", ")}`);
    [attempt, seq] = [next, at];
  }
  const { where } = model.runs.get(run) ?? {};
  const ends = events.flatMap((event, at) => (event.endsWith(" end") ? [at] : []));
  expect(ends, run).toEqual(where === "terminal" || where === "gone" ? [events.length - 1] : []);
}

/** I9: what belongs to a thread goes with it. */
function nothingStray(dump: Dump, model: Model): void {
  const ofThreads = new Set("thread waiting runs history checkpoints checkpoint blobs trail removing".split(" "));
  for (const key of dump.keys()) {
    const [kind = "", thread = ""] = key.split(":");
    if (ofThreads.has(kind) && !model.threads.has(thread) && !model.removals.has(thread))
      expect.fail(`${key} outlives its thread`);
  }
}

/** A search finds the threads as they are. */
function indexed(dump: Dump): void {
  const { indexed: found = [], ...index } = Object.fromEntries(named(dump, "threads"));
  const threads = named(dump, "thread").map(([id, held]) => [id, toFields(held)] as const);
  const expected = indexOf(new Map(threads));
  const held = Object.entries(index).map(([set, entries]) => [set, Object.fromEntries(pairs(entries))]);
  expect(Object.fromEntries(held)).toEqual(expected);
  expect(Object.keys(toFields(found)).sort()).toEqual(Object.keys(expected.thread_id ?? {}).sort());
}

/** I10: a sweep leaves a token wherever a run is ready. */
export async function tokensFor(model: Model, real: Real): Promise<void> {
  const dump = await real.dump();
  for (const graph of new Set(ids(model.in("ready")).map((id) => model.runs.get(id)?.graph ?? "")))
    expect(dump.get(`wake:${graph}`)?.length ?? 0, `tokens of ${graph}`).toBeGreaterThan(0);
}
