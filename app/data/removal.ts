/**
 * Takes away what a deleted thread, a removed run or a thread's ttl has left, in steps of bounded length. What is removed
 * was fenced before (`runs/lua/include/removal.lua`), so nobody writes to it meanwhile. Every step may be repeated: where
 * this process dies, the sweep of any other begins again.
 */
import { randomUUID } from "node:crypto";
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { loadScript } from "../redis/scripts.js";
import { runScriptFolder, scripts as runScripts } from "../runs/scripts.js";
import type { Removal, RemovalSteps } from "../runs/types.js";

const load = (name: string) => loadScript(new URL("./lua/", import.meta.url), name, runScriptFolder);
export const removalScripts = {
  deleteRun: load("delete_run"),
  undoRun: load("undo_run"),
  deleteHistory: load("delete_history"),
  clearUnread: load("clear_unread"),
  keepNewest: load("keep_newest"),
  closeBase: load("close_base"),
  dropBlobs: load("drop_blobs"),
  pruneNow: load("prune_now"),
};

/** Runs, checkpoints, values a step: a few milliseconds of Redis's time. */
const RUNS_A_STEP = 50;
const CHECKPOINTS_A_STEP = 100;
const BLOBS_A_STEP = 50;

export class Removals implements RemovalSteps {
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
  ) {}

  /** Begins a removal that was fenced, or joins this process's that is under way. */
  remove({ threadId, what }: Removal): Promise<void> {
    const name = `${threadId}:${what ?? ""}`;
    const removing = this.#underWay.get(name) ?? this.#begin({ threadId, what });
    this.#underWay.set(name, removing);
    const forget = () => this.#underWay.delete(name);
    removing.then(forget, forget);
    return removing;
  }

  /** Deletes a thread with all that it has. @returns false when there is no such thread */
  async deleteThread(threadId: string): Promise<boolean> {
    const found = await this.#deleteRuns(threadId, "delete");
    if (found) await this.remove({ threadId, what: undefined });
    return found !== false;
  }

  /** Rolls an open run back, or deletes an ended one. @returns false when there is no such run */
  async deleteRun(threadId: string, runId: string): Promise<boolean> {
    const { redis, keys } = this;
    const answer = await removalScripts.deleteRun.run(redis, keys.of(threadId, "run", runId), runId, threadId);
    if (answer === "missing") return false;
    await redis.unlink(keys.of(runId, "request", runId));
    if (answer === "removing") await this.remove({ threadId, what: runId });
    return true;
  }

  /**
   * Removes all but the newest checkpoint of the graph and of each subgraph.
   * @returns false when there is no such thread, or a run of it is open
   */
  async prune(threadId: string): Promise<boolean> {
    const answer = await removalScripts.pruneNow.run(this.redis, this.#key("thread", threadId), threadId);
    if (answer !== "removing") return false;
    await this.remove({ threadId, what: "keep_latest" });
    return true;
  }

  async expire(threadId: string): Promise<void> {
    const prunes = await runScripts.pruneThread.run(this.redis, this.#key("thread", threadId), threadId);
    if (prunes === 1) await this.remove({ threadId, what: "keep_latest" });
    else if (await this.#deleteRuns(threadId, "expire")) await this.remove({ threadId, what: undefined });
  }

  async #begin({ threadId, what }: Removal): Promise<void> {
    if (what === undefined) return await this.#deleteRest(threadId);
    if (what === "unread") return await this.#clearUnread(threadId);
    if (what === "keep_latest") await this.#keepNewest(threadId);
    else await this.#undoRun(threadId, what);
    await runScripts.removed.run(this.redis, this.#removals(threadId), threadId, what);
  }

  /**
   * One step; the first one fences.
   * @returns false for a thread that is not there, or is not to be deleted
   */
  async #deleteRuns(threadId: string, asked: "delete" | "expire" | "go_on"): Promise<"more" | "gone" | false> {
    const key = this.#key("thread", threadId);
    const answer = await runScripts.deleteThread.run(this.redis, key, threadId, RUNS_A_STEP, asked);
    const [word, ...runIds] = answer as [word: "missing" | "kept" | "more" | "gone", ...string[]];
    // The ids that clients gave are kept apart, each in a partition of its own.
    await Promise.all(runIds.map((runId) => this.redis.unlink(this.keys.of(runId, "request", runId))));
    return word === "more" || word === "gone" ? word : false;
  }

  async #deleteRest(threadId: string): Promise<void> {
    while ((await this.#deleteRuns(threadId, "go_on")) === "more");
    const history = this.#key("history", threadId);
    const step = [threadId, CHECKPOINTS_A_STEP, threadId];
    let left: unknown;
    do left = await removalScripts.deleteHistory.run(this.redis, history, ...step);
    while (left === 1);
    // Before the thread is forgotten: where this process dies now, a sweep goes on with both.
    if (typeof left === "string") await this.#clearUnread(left);
    await runScripts.forgetThread.run(this.redis, this.#removals(threadId), threadId);
  }

  /** A history whose last reader has gone; those below it may lose theirs by that. */
  async #clearUnread(history: string): Promise<void> {
    let left: unknown = history;
    for (let name = history; left !== 0; ) {
      if (typeof left === "string") name = left;
      const unread = this.keys.of(threadOf(name), "unread");
      left = await removalScripts.clearUnread.run(this.redis, unread, name, CHECKPOINTS_A_STEP);
    }
  }

  async #undoRun(threadId: string, runId: string): Promise<void> {
    const history = this.#key("history", threadId);
    let from = "-";
    do {
      const step = [threadId, threadId, runId, from, CHECKPOINTS_A_STEP];
      from = (await removalScripts.undoRun.run(this.redis, history, ...step)) as string;
    } while (from !== "");
  }

  async #keepNewest(threadId: string): Promise<void> {
    const history = this.#key("history", threadId);
    const pass = randomUUID();
    let from = "-";
    let keepsAll = 0;
    do {
      const step = [threadId, threadId, pass, from, CHECKPOINTS_A_STEP];
      const [next, whole] = (await removalScripts.keepNewest.run(this.redis, history, ...step)) as [string, number];
      from = next;
      keepsAll ||= whole;
    } while (from !== "");
    if (keepsAll === 1) return;
    const unread = await removalScripts.closeBase.run(this.redis, history, threadId, threadId, pass);
    if (unread) await this.#clearUnread(String(unread));
    let cursor = "0";
    do {
      const step = [threadId, threadId, pass, cursor, BLOBS_A_STEP];
      cursor = (await removalScripts.dropBlobs.run(this.redis, history, ...step)) as string;
    } while (cursor !== "0");
  }

  #key(kind: string, threadId: string): string {
    return this.keys.of(threadId, kind, threadId);
  }

  #removals(threadId: string): string {
    return this.keys.of(threadId, "removals");
  }
}

/** The thread whose history has, or had, this name, which is in its partition (`runs/lua/include/history_name.lua`). */
function threadOf(history: string): string {
  return history.replace(/~\d+$/, "");
}
