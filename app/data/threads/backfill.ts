/**
 * Threads that the release before made, changed or deleted come into the index, or leave it: it keeps none. In passes over
 * each node that takes writes: first over its keys, then over what the index holds without a thread. A pass is made of
 * steps, one each pause whatever the number of servers; where it stands is kept in Redis, so any server makes the next one.
 * A server asks for a pass when it starts, and for more while the release before may still be serving.
 */
import type { Redis } from "../../redis/connect.js";
import { infoText, type Node, nodeOf, tagOn, writableNodes } from "../../redis/nodes.js";
import { ALL_PARTITIONS, type Keys } from "../../redis/partitions.js";
import { startRounds } from "../../runs/rounds.js";
import { scripts } from "../../runs/scripts.js";
import type { Log } from "../../telemetry/log.js";

const MINUTE_MS = 60_000;

export interface BackfillPace {
  /** Between two steps on a node. */
  pauseMs: number;
  /** Keys, or entries of the index, that a call looks at, and calls of a step. */
  aCall: number;
  callsAStep: number;
  /** A pass is to begin so long after a server's start. */
  repeatAfterMs: readonly number[];
}

/** 2,000 keys a second at the default pause, in calls of less than a millisecond. */
export const usualPace = (sweepMs: number, protectMinutes: number): BackfillPace => ({
  pauseMs: sweepMs,
  aCall: 1_000,
  callsAStep: 10,
  // A worker that holds runs is protected for so long when its service is deployed anew.
  repeatAfterMs: [0, 5 * MINUTE_MS, (protectMinutes + 15) * MINUTE_MS],
});

/** Ids that one script indexes. */
const INDEXED_AT_ONCE = 100;

/** Where a pass stands, as Redis keeps it. */
interface Pass {
  /** A cursor is worth something only to the process of Redis that gave it. */
  redisRun: string;
  /** Redis's time, ms. */
  began: number;
  /** `keys <cursor>`, `leftovers <partition> <from>`, or `done`. */
  at: string;
}

export class ThreadBackfill {
  readonly #startedAt = performance.now();

  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
    private readonly pace: BackfillPace,
  ) {}

  /** A step on each node where one is due. */
  async step(): Promise<void> {
    const steps = await Promise.allSettled(writableNodes(this.redis).map((node) => this.#stepOn(node)));
    const failed = steps.find((each) => each.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #stepOn(node: Node): Promise<void> {
    const tag = tagOn(this.redis, this.keys, node.name);
    if (!tag || !(await this.redis.set(`${tag}:thread_backfill:turn`, "1", "PX", this.pace.pauseMs, "NX"))) return;
    const [seconds, microseconds] = await node.redis.time();
    const now = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
    const redisRun = infoText(await node.redis.info("server"), "run_id");
    const state = `${tag}:thread_backfill`;
    const [heldRun, began, at] = await this.redis.hmget(state, "redisRun", "began", "at");
    let pass: Pass = { redisRun, began: Number(began), at: at ?? "done" };
    if (heldRun !== redisRun || (pass.at === "done" && this.#wants(now, pass.began)))
      pass = { redisRun, began: now, at: "keys 0" };
    if (pass.at === "done") return;
    for (let calls = 0; calls < this.pace.callsAStep && pass.at !== "done"; calls++)
      pass = { ...pass, at: await this.#call(node, pass.at) };
    await this.redis.hset(state, { ...pass });
  }

  /** Whether a pass should have begun since the last one did. */
  #wants(now: number, began: number): boolean {
    const age = performance.now() - this.#startedAt;
    return this.pace.repeatAfterMs.some((afterMs) => afterMs <= age && began < now - age + afterMs);
  }

  /** @returns where to go on */
  async #call(node: Node, at: string): Promise<string> {
    const [phase, place = "", from = ""] = at.split(" ");
    if (phase === "keys") {
      const match = `{${this.keys.prefix}:*}:thread:*`;
      const [cursor, names] = await node.redis.scan(place, "MATCH", match, "COUNT", this.pace.aCall);
      await this.#index(names);
      return cursor === "0" ? this.#leftoversAfter(node, -1) : `keys ${cursor}`;
    }
    const partition = Number(place);
    const index = this.keys.in(partition, "threads", "thread_id");
    const next = (await scripts.indexLeftovers.run(this.redis, index, from, this.pace.aCall)) as string;
    return next === "" ? this.#leftoversAfter(node, partition) : `leftovers ${partition} ${next}`;
  }

  #leftoversAfter(node: Node, partition: number): string {
    const isHere = (each: number) => nodeOf(this.redis, this.keys.tag(each)) === node.name;
    const next = ALL_PARTITIONS.find((each) => each > partition && isHere(each));
    return next === undefined ? "done" : `leftovers ${next} -`;
  }

  async #index(names: string[]): Promise<void> {
    const tagOf = (name: string) => name.slice(0, name.indexOf("}") + 1);
    for (const tag of new Set(names.map(tagOf))) {
      const ids = names.filter((name) => tagOf(name) === tag).map((name) => name.slice(`${tag}:thread:`.length));
      while (ids.length > 0)
        await scripts.indexThreads.run(this.redis, `${tag}:threads:indexed`, ...ids.splice(0, INDEXED_AT_ONCE));
    }
  }
}

/** A step about each pause until stopped. Failures are logged; the next step tries again. */
export function startThreadBackfill(
  backfill: Pick<ThreadBackfill, "step">,
  pauseMs: number,
  log: Log,
): { stop(): Promise<void> } {
  return startRounds(async () => {
    try {
      await backfill.step();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ event: "thread_backfill_failed", reason }, "the index of threads was not gone over");
    }
  }, pauseMs);
}
