/**
 * Random sequences of copies, runs, rollbacks, takeovers, prunings and deletions, compared after each with a model in
 * which a copy is what users take it for: all of the thread again, apart from it.
 *
 *   COPIES_RUNS=2000 npx vitest run test/redis/copiesProperty.test.ts    more sequences than usual
 */
import fc from "fast-check";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Checkpointer, createCheckpointer, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { Copies } from "../../app/data/copies.js";
import { removalScripts } from "../../app/data/removal.js";
import { partitionOf } from "../../app/redis/partitions.js";
import { scripts } from "../../app/runs/scripts.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { at, checkpointOf, loop, ours } from "../support/checkpoints.js";
import { type Core, newRun, startCore, success } from "../support/core.js";
import { Histories, type ModelThread } from "./copiesModel.js";

const sequences = Number(process.env.COPIES_RUNS ?? 12);

let core: Core;
let saver: Checkpointer;
let copies: Copies;
beforeAll(async () => {
  core = await startCore();
  saver = createCheckpointer(ours, core);
  copies = new Copies(core);
});
afterAll(() => core.stop());

/** Ids that are used again after their thread was deleted. */
const IDS = [uuid(), uuid()];
const LONG = "a value that is longer than a digest: ";
const MOST_THREADS = 6;
/** Keys of the partition, and what a pass that was left half done has noted, which expires. */
const SHARED = /:(swept|graphs|wake:\w+|named:.*)$/;

/** What may be done to a thread while a run of it is under way, and while none is; how often each. */
const RUNNING = { put: 24, write: 10, answer: 24, sub: 16, finish: 18, rollBack: 10, takeOver: 5 };
const IDLE = { start: 70, prune: 15, deleteRun: 10 };
const ALWAYS = { copy: 16, deleteThread: 4, create: 5, sweep: 5, act: 100 };
type Kind = keyof typeof RUNNING | keyof typeof IDLE | keyof typeof ALWAYS;

const of = <K extends string>(weights: Record<K, number>) =>
  fc.constantFrom(...Object.entries<number>(weights).flatMap(([kind, weight]) => Array<K>(weight).fill(kind as K)));

interface Move {
  kind: keyof typeof ALWAYS;
  running: keyof typeof RUNNING;
  idle: keyof typeof IDLE;
  pick: number;
  which: number;
  dies: boolean;
}
const anyMove: fc.Arbitrary<Move> = fc.record({
  kind: of(ALWAYS),
  running: of(RUNNING),
  idle: of(IDLE),
  pick: fc.nat({ max: 30 }),
  which: fc.nat({ max: 30 }),
  dies: fc.boolean(),
});

class World {
  readonly model = new Histories();
  readonly claims = new Map<string, ClaimedRun>();
  #made = 0;

  constructor(private readonly counts: Map<Kind, number>) {}

  async make({ kind, running, idle, pick, which, dies }: Move): Promise<void> {
    if (kind !== "act") this.#count(kind);
    if (kind === "create") return await this.#create(IDS[which % IDS.length] ?? "");
    if (kind === "sweep") return await this.#sweep();
    const all = [...this.model.threads.values()];
    const thread = all[pick % all.length];
    if (!thread) return;
    if (kind === "copy") return all.length < MOST_THREADS ? await this.#copy(thread) : undefined;
    if (kind === "deleteThread") return await this.#deleteThread(thread, dies);
    if (thread.removing) return;
    const claim = this.claims.get(thread.id);
    this.#count(claim ? running : idle);
    if (claim) await this.#whileRunning(running, thread, claim, which, dies);
    else await this.#whileIdle(idle, thread, which, dies);
  }

  #count(kind: Kind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  async #create(threadId: string): Promise<void> {
    if (this.model.threads.has(threadId) || this.model.deleting.has(threadId)) return;
    this.model.create(threadId);
    await this.#start(threadId);
  }

  async #start(threadId: string): Promise<void> {
    await core.runs.enqueue(newRun({ threadId }));
    const { runs } = await core.attempts.claim(partitionOf(threadId), ["echo"], 1, 30_000);
    const [run] = runs;
    if (run?.threadId !== threadId) expect.fail("another thread's run was claimed");
    this.claims.set(threadId, run);
  }

  async #whileIdle(kind: Kind, thread: ModelThread, which: number, dies: boolean): Promise<void> {
    if (kind === "start") {
      await this.#start(thread.id);
      // Mostly from the newest one.
      thread.from = which % 4 === 0 ? thread.any("", which)?.id : undefined;
    }
    if (kind === "prune") await this.#prune(thread, dies);
    if (kind === "deleteRun" && thread.lastRun) {
      expect(await core.removals.deleteRun(thread.id, thread.lastRun)).toBe(true);
      if (thread.newest("")?.run === thread.lastRun) thread.undo(thread.lastRun);
      thread.lastRun = undefined;
    }
  }

  async #whileRunning(kind: Kind, thread: ModelThread, run: ClaimedRun, which: number, dies: boolean): Promise<void> {
    const by = (more: Record<string, unknown>) => at(thread.id, { ...writtenBy(run), ...more });
    const started = thread.startOf(run.runId);
    const put = async (ns: string) => {
      const made = ++this.#made;
      const parent = ns === "" ? started : thread.newest(ns);
      const keeps = parent !== undefined && which % 3 > 0;
      const kept = keeps ? parent.kept : { value: `${LONG}${which % 5}`, version: made };
      const value = which % 2 === 0 ? `${LONG}${made % 7}` : made;
      const id = `c${String(made).padStart(5, "0")}`;
      const checkpoint = checkpointOf({ a: [value, made], kept: [kept.value, kept.version] }, id);
      const changed = { a: made, ...(!keeps && { kept: kept.version }) };
      await saver.put(by({ checkpoint_ns: ns, checkpoint_id: parent?.id }), checkpoint, loop, changed);
      thread.add(ns, { id, parent: parent?.id, value, kept, run: run.runId, writes: new Map() });
    };
    const write = async (ns: string, id: string, channel: string) => {
      const value = `${LONG}${++this.#made}`;
      const task = `task-${which % 2}`;
      await saver.putWrites(by({ checkpoint_ns: ns, checkpoint_id: id }), [[channel, value]], task);
      thread.write(ns, id, { task, channel, value, run: run.runId });
    };

    const answer = which % 2 === 0 ? "__resume__" : "__interrupt__";
    switch (kind) {
      case "put":
        return await put("");
      case "write":
      case "answer":
        if (started) await write("", started.id, kind === "write" ? "a" : answer);
        return;
      case "sub": {
        const ns = `sub:${which % 2}`;
        const head = thread.newest(ns);
        if (head) await write(ns, head.id, answer);
        return await put(ns);
      }
      case "finish":
        await core.attempts.finish(run, success, 1, []);
        thread.lastRun = run.runId;
        this.claims.delete(thread.id);
        return;
      case "takeOver": {
        await core.attempts.release(run);
        const { runs } = await core.attempts.claim(partitionOf(thread.id), ["echo"], 1, 30_000);
        const [again] = runs;
        if (again?.runId !== run.runId) expect.fail("another run was claimed");
        this.claims.set(thread.id, again);
        if (thread.newest("")?.run !== run.runId) {
          await saver.takeBack(again);
          thread.takeBack(run.runId);
        }
        return;
      }
      case "rollBack":
        return await this.#rollBack(thread, run, dies);
    }
  }

  /** `dies`: after its first steps, and a sweep has to go on. */
  async #rollBack(thread: ModelThread, { runId }: ClaimedRun, dies: boolean): Promise<void> {
    const { id } = thread;
    this.claims.delete(id);
    thread.undo(runId);
    if (dies) {
      const key = core.keys.of(id, "run", runId);
      await scripts.cancel.run(core.redis, key, runId, id, "rollback", 700);
      await removalScripts.undoRun.run(core.redis, core.keys.of(id, "history", id), id, id, runId, "-", 1);
      thread.removing = true;
    } else {
      await core.runs.cancel(id, runId, "rollback");
      await core.runs.removed(id, runId);
    }
  }

  async #prune(thread: ModelThread, dies: boolean): Promise<void> {
    const { id } = thread;
    if (dies) {
      await removalScripts.pruneNow.run(core.redis, core.keys.of(id, "thread", id), id);
      const pass = [id, id, uuid(), "-", 2];
      await removalScripts.keepNewest.run(core.redis, core.keys.of(id, "history", id), ...pass);
      thread.removing = true;
    } else {
      expect(await core.removals.prune(id)).toBe(true);
    }
    thread.prune();
  }

  async #copy(thread: ModelThread): Promise<void> {
    const copy = await copies.copy(thread.id);
    if (!copy) return expect.fail("the thread to be copied is missing");
    thread.removing = false;
    this.model.copy(thread, copy);
  }

  async #deleteThread({ id }: ModelThread, dies: boolean): Promise<void> {
    this.claims.delete(id);
    this.model.threads.delete(id);
    if (!dies) {
      expect(await core.removals.deleteThread(id)).toBe(true);
      return;
    }
    await scripts.deleteThread.run(core.redis, core.keys.of(id, "thread", id), id, 1, "delete");
    await removalScripts.deleteHistory.run(core.redis, core.keys.of(id, "history", id), id, 1, id);
    this.model.deleting.add(id);
  }

  async #sweep(): Promise<void> {
    await core.sweep({ sweepMs: -1 });
    this.model.deleting.clear();
    for (const thread of this.model.threads.values()) thread.removing = false;
  }

  async compare(): Promise<void> {
    for (const thread of this.model.threads.values()) {
      if (thread.removing) continue;
      const found: Record<string, unknown[]> = {};
      for await (const { config, checkpoint, parentConfig, pendingWrites } of saver.list(
        { configurable: { thread_id: thread.id } },
        {},
      )) {
        const { checkpoint_ns: ns = "", thread_id } = config.configurable ?? {};
        expect(thread_id).toBe(thread.id);
        found[ns] ??= [];
        found[ns].push([
          checkpoint.id,
          parentConfig?.configurable?.checkpoint_id,
          checkpoint.channel_values,
          pendingWrites,
        ]);
      }
      expect(found).toEqual(thread.seen());
      expect((await saver.newest(thread.id))?.checkpointId).toBe(thread.newest("")?.id);
    }
  }

  /** Nobody sees what only others have. */
  async lookForOthers(): Promise<void> {
    const threads = [...this.model.threads.values()];
    for (const thread of threads)
      for (const other of threads)
        for (const [ns, id] of other.ids())
          if (!thread.removing && !thread.has(ns, id))
            expect(await saver.getTuple(at(thread.id, { checkpoint_ns: ns, checkpoint_id: id })), id).toBeUndefined();
  }

  async end(order: number): Promise<void> {
    await this.#sweep();
    const left = [...this.model.threads.keys()];
    for (let turn = order; left.length > 0; turn += 3) {
      const [id = ""] = left.splice(turn % left.length, 1);
      await core.removals.deleteThread(id);
      this.model.threads.delete(id);
      await this.compare();
    }
  }
}

test("a copy is all of its thread again, whatever becomes of either, and the last one leaves no key", {
  timeout: 60_000 + sequences * 2_000,
}, async () => {
  const made = new Map<Kind, number>();
  const moves = fc.array(anyMove, { minLength: 20, maxLength: 60, size: "max" });
  const property = fc.asyncProperty(moves, fc.nat({ max: 30 }), async (sequence, order) => {
    await core.admin.flushall();
    const world = new World(made);
    await world.make({ kind: "create", running: "put", idle: "start", pick: 0, which: 0, dies: false });
    for (const move of sequence) {
      await world.make(move);
      await world.compare();
    }
    await world.lookForOthers();
    await world.end(order);
    expect((await core.admin.keys("*")).filter((key) => !SHARED.test(key))).toEqual([]);
  });
  await fc.assert(property, { numRuns: sequences });
  // Sequences that never come to a move would prove nothing of it.
  for (const kind of Object.keys({ ...RUNNING, ...IDLE, ...ALWAYS }) as Kind[])
    if (kind !== "act") expect(made.get(kind), kind).toBeGreaterThan(0);
});
