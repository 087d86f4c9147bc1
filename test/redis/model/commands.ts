/** The moves: each asks the script, moves the model, and expects the same answer of both. */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { expect } from "vitest";
import { compare, tokensFor } from "./compare.js";
import { type Attempt, GRACE_MS, LEASE_MS, type Lifetime, type Model, type Strategy } from "./model.js";
import type { Real } from "./real.js";
import { driveRemoval } from "./removals.js";
import { ended, enqueued, finished, handedOut, swept } from "./rules.js";

interface World {
  model: Model;
  real: Real;
}
type Move = fc.AsyncCommand<Model, Real>;

const graph = fc.constantFrom("g0", "g1");
const thread = fc.constantFrom("t0", "t1");
/** What a move is about, by its place among those that there are: the newest first, since the older are mostly over. */
const pick = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 1 }) }, { weight: 1, arbitrary: fc.nat({ max: 11 }) });
const nth = <T>(all: T[], at: number): T | undefined => all.at(-1 - (at % Math.max(1, all.length)));

/** Ids that clients give are in no order. */
function newId(model: Model, name: number): string {
  return `r${name.toString(16).padStart(4, "0")}-${model.runs.size}`;
}

function attemptKey({ run }: Attempt): string {
  return `run:${run}`;
}

const moves = {
  advance: define({ ms: fc.constantFrom(1, 30, 69, 100, 301, 700) }, async ({ model, real }, { ms }) => {
    model.now += ms;
    await real.setClock(model.now);
  }),

  createThread: define({ thread }, async ({ model, real }, { thread }) => {
    const answer = (await real.call("createThread", `thread:${thread}`, thread, "{}", "", "delete", randomUUID())) as [
      number,
    ];
    const exists = model.threads.has(thread);
    expect(answer[0]).toBe(model.removals.has(thread) ? -1 : exists ? 0 : 1);
    if (answer[0] === 1) model.createThread(thread);
  }),

  enqueue: define(
    {
      thread,
      graph,
      name: fc.nat({ max: 0xffff }),
      lifetime: fc.constantFrom<Lifetime>("thread", "thread", "thread", "thread", "keep", "delete"),
      strategy: fc.constantFrom<Strategy>("enqueue", "enqueue", "reject", "interrupt", "rollback"),
      ifMissing: fc.constantFrom("create", "create", "reject"),
      afterMs: fc.constantFrom(0, 0, 30, 30, 100),
    },
    async ({ model, real }, { name, ...request }) => {
      const id = newId(model, name);
      const run = { ...request, id, hash: "h", thread: request.lifetime === "thread" ? request.thread : id };
      await enqueued(model, real, run);
    },
  ),

  /** Runs accepted, and due, in the same moment: single ones seldom meet so. */
  burst: define(
    {
      thread,
      graph,
      names: fc.array(fc.nat({ max: 0xffff }), { minLength: 2, maxLength: 3 }),
      afterMs: fc.constantFrom(0, 30),
    },
    async ({ model, real }, { names, ...request }) => {
      const rest = { lifetime: "thread", strategy: "enqueue", ifMissing: "create", hash: "h" } as const;
      for (const name of names) await enqueued(model, real, { ...request, ...rest, id: newId(model, name) });
    },
  ),

  /** The same request again, or another one under its id. */
  enqueueAgain: define({ pick, same: fc.boolean() }, async ({ model, real }, { pick, same }) => {
    const known = nth(
      [...model.runs.values()].filter(({ events }) => events.length > 0),
      pick,
    );
    if (!known) return;
    const request = { strategy: "rollback", ifMissing: "create", afterMs: 0, hash: same ? "h" : "other" } as const;
    await enqueued(model, real, { ...request, ...pickOf(known) });
  }),

  claim: define(
    {
      limit: fc.nat({ max: 3 }),
      graphs: fc.subarray(["g0", "g1"], { minLength: 1 }),
      lost: fc.constantFrom(false, false, true),
    },
    async ({ model, real }, { limit, graphs, lost }) => {
      const owner = `w${++model.claims}`;
      const attempts = await handedOut(model, real, { owner, limit, graphs, again: false });
      // An answer that got lost is asked for again, or its worker dies with it.
      if (lost) model.lostClaims.push({ owner, limit, graphs });
      else model.attempts.push(...attempts);
    },
  ),

  claimAgain: define({}, async ({ model, real }) => {
    const claim = model.lostClaims.pop();
    if (claim) model.attempts.push(...(await handedOut(model, real, { ...claim, again: true })));
  }),

  /** `repeated`: how many of the events had been sent before. */
  append: ofAttempt(
    { events: fc.integer({ min: 1, max: 3 }), repeated: fc.nat({ max: 2 }) },
    async ({ model, real }, attempt, { events, repeated }) => {
      const first = Math.max(1, attempt.nextSeq - repeated);
      const { run, thread, owner } = attempt;
      const sent = Array.from({ length: events }, () => ["values", "{}"]).flat();
      const answer = await real.call(
        "append",
        attemptKey(attempt),
        run,
        thread,
        owner,
        attempt.attempt,
        first,
        ...sent,
      );
      const held = model.runs.get(run);
      if (!held || model.fenced(attempt)) return expect(answer).toEqual(["lost"]);
      expect(answer).toEqual(["kept", held.cancel]);
      const added = Math.max(0, first + events - attempt.nextSeq);
      model.append(held, Array(added).fill("values"), { number: attempt.attempt, seq: attempt.nextSeq });
      attempt.nextSeq += added;
    },
  ),

  heartbeat: ofAttempt({}, async ({ model, real }, attempt) => {
    const { run, owner } = attempt;
    const answer = await real.call("heartbeat", "leases", LEASE_MS, run, owner);
    const held = model.runs.get(run);
    if (held?.where !== "leased" || held.owner !== owner) return expect(answer).toEqual([owner, "lost"]);
    held.leaseUntil = model.now + LEASE_MS;
    expect(answer).toEqual(held.cancel ? [owner, held.cancel] : []);
  }),

  finish: ofAttempt(
    {
      status: fc.constantFrom("success", "error", "interrupted"),
      events: fc.nat({ max: 2 }),
      withState: fc.boolean(),
    },
    finished,
  ),

  release: ofAttempt({}, async ({ model, real }, attempt) => {
    const { run, thread, owner } = attempt;
    const answer = await real.call("release", attemptKey(attempt), run, thread, owner);
    const held = model.runs.get(run);
    if (!held || model.fenced(attempt)) return expect(answer).toBe("lost");
    expect(answer).toBe(held.cancel ? "ended" : "released");
    if (held.cancel) model.endCancelled(held);
    else model.toReady(held);
  }),

  putCheckpoint: ofAttempt({}, async ({ model, real }, attempt) => {
    const { run, thread, owner } = attempt;
    // A stateless run that leaves nothing is executed without a checkpointer.
    if (model.runs.get(run)?.lifetime === "delete") return;
    const known = model.checkpoints.get(thread) ?? [];
    const id = `c${String(++model.checkpointsMade).padStart(4, "0")}`;
    const place = [thread, thread, "", id, known.at(-1)?.id ?? ""];
    const args = [...place, run, owner, attempt.attempt, "", "{}", "4", "json", "{}", 0, 0];
    const answer = await real.call("putCheckpoint", `history:${thread}`, ...args);
    expect(answer).toBe(model.fenced(attempt) ? "fenced" : "stored");
    if (answer === "stored") model.checkpoints.set(thread, [...known, { id, run }]);
  }),

  cancel: define(
    { pick, action: fc.constantFrom("interrupt", "interrupt", "rollback") },
    async ({ model, real }, { pick, action }) => {
      const run = nth([...model.runs.values()], pick);
      if (!run) return;
      const answer = await real.call("cancel", `run:${run.id}`, run.id, run.thread, action, GRACE_MS);
      if (run.where === "gone" || !model.threads.has(run.thread)) expect(answer).toBe("run_missing");
      else if (run.where === "terminal") expect(answer).toBe("run_ended");
      else if (action === "rollback") expect(answer).toBe(model.rollBack(run) ? "removing" : "ended");
      else expect(answer).toBe(model.cancel(run));
    },
  ),

  overrule: define({ pick }, async ({ model, real }, { pick }) => {
    const run = nth([...model.runs.values()], pick);
    if (!run) return;
    const needed = run.where === "leased" && run.cancel !== "";
    expect(await real.call("overrule", `run:${run.id}`, run.id)).toBe(needed ? "ended" : "not_needed");
    if (needed) model.endCancelled(run);
  }),

  sweep: define({}, async ({ model, real }) => {
    await swept(model, real);
    await tokensFor(model, real);
  }),

  loseToken: define({ graph }, ({ real }, { graph }) => real.loseToken(graph)),

  deleteRun: define({ pick }, async ({ model, real }, { pick }) => {
    const run = nth([...model.runs.values()], pick);
    if (!run) return;
    const answer = await real.call("deleteRun", `run:${run.id}`, run.id, run.thread);
    if (run.where === "gone" || !model.threads.has(run.thread)) return expect(answer).toBe("missing");
    if (run.where !== "terminal") return expect(answer).toBe(model.rollBack(run) ? "removing" : "gone");
    expect(answer).toBe(ended(model, run) ? "removing" : "gone");
  }),

  /** `steps`: how far this process gets before it dies; the next one goes on. */
  deleteThread: define({ thread, steps: fc.nat({ max: 6 }) }, async ({ model, real }, { thread, steps }) => {
    const known = model.threads.has(thread) || model.removals.has(thread);
    if (known) await driveRemoval(model, real, thread, steps);
    else expect(await real.call("deleteThread", `thread:${thread}`, thread, 1, "")).toEqual(["missing"]);
  }),

  goOnRemoving: define({ pick, steps: fc.integer({ min: 1, max: 6 }) }, async ({ model, real }, { pick, steps }) => {
    const removal = nth([...model.removals], pick);
    if (removal) await driveRemoval(model, real, removal, steps);
  }),
};

/** Those that lead somewhere come more often than those that take away what the others built. */
const OFTEN = ["enqueue", "claim", "append", "advance", "finish", "putCheckpoint"];
const SELDOM = ["deleteThread", "deleteRun"];

/** @param counts how often each move was made, for the caller to look at */
export function anyMove(counts: Map<string, number>): fc.Arbitrary<Move>[] {
  return Object.entries(moves).flatMap(([name, arbitrary]) => {
    counts.set(name, 0);
    const counted = arbitrary(
      (args) => `${name}(${JSON.stringify(args).slice(1, -1)})`,
      () => {
        counts.set(name, (counts.get(name) ?? 0) + 1);
      },
    );
    return Array<typeof counted>(OFTEN.includes(name) ? 6 : SELDOM.includes(name) ? 1 : 3).fill(counted);
  });
}

type Arguments = Record<string, fc.Arbitrary<unknown>>;
type Values<A extends Arguments> = { [name in keyof A]: A[name] extends fc.Arbitrary<infer V> ? V : never };
type MoveOf = (label: (args: object) => string, made: () => void) => fc.Arbitrary<Move>;

function define<A extends Arguments>(args: A, run: (world: World, values: Values<A>) => Promise<unknown>): MoveOf {
  return (label, made) =>
    (fc.record(args) as fc.Arbitrary<Values<A>>).map((values) => ({
      check: () => true,
      async run(model, real) {
        made();
        await run({ model, real }, values);
        await compare(model, real);
      },
      toString: () => label(values),
    }));
}

/** A move of a worker for an attempt that it has, or had: it may not know yet that another one has the run. */
function ofAttempt<A extends Arguments>(
  args: A,
  run: (world: World, attempt: Attempt, values: Values<A>) => Promise<unknown>,
): MoveOf {
  return define({ ...args, pick }, async (world, { pick, ...values }) => {
    const attempt = nth(world.model.attempts, pick as number);
    if (attempt) await run(world, attempt, values as unknown as Values<A>);
  });
}

function pickOf({ id, thread, graph, lifetime }: { id: string; thread: string; graph: string; lifetime: Lifetime }) {
  return { id, thread, graph, lifetime };
}
