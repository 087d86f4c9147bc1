/**
 * Copies of threads. A copy lies in its source's partition and stands on its source's history, so it is one script,
 * whatever there is to copy; `lua/include/history.lua` says what it sees. docs/decisions/copies.md has the reasons.
 */
import { randomUUID } from "node:crypto";
import { v7 } from "uuid";
import type { Redis } from "../redis/connect.js";
import { type Keys, partitionOf } from "../redis/partitions.js";
import { loadScript } from "../redis/scripts.js";
import { runScriptFolder } from "../runs/scripts.js";
import { type RemovalSteps, RunRefused } from "../runs/types.js";

const copyThread = loadScript(new URL("./lua/", import.meta.url), "copy_thread", runScriptFolder);

/** Copies of copies that have runs of their own: each is one more history to look into. */
const MOST_LEVELS = 256;

export interface CopiesDeps {
  redis: Redis;
  keys: Keys;
  removals: Pick<RemovalSteps, "remove">;
}

export class Copies {
  constructor(private readonly deps: CopiesDeps) {}

  /**
   * @returns the copy's id; undefined when there is no such thread
   * @throws RunRefused `copied_too_often`
   */
  async copy(threadId: string): Promise<string | undefined> {
    const { redis, keys, removals } = this.deps;
    const copyId = idBeside(threadId);
    const call = randomUUID();
    for (;;) {
      const key = keys.of(threadId, "thread", threadId);
      const answer = await copyThread.run(redis, key, threadId, copyId, call, MOST_LEVELS);
      const [word, what] = String(answer).split(" ");
      if (word === "copied") return copyId;
      if (word === "missing") return undefined;
      if (word === "too_deep")
        throw new RunRefused(
          "copied_too_often",
          `thread ${threadId} is a copy of a copy, ${MOST_LEVELS} deep: prune it with keep_latest, or copy an earlier one`,
        );
      if (word === "taken") throw new Error("the id of a copy, just made, is taken");
      // A rolled-back run must not be copied half.
      await removals.remove({ threadId, what });
    }
  }
}

/** A new id in the partition of another one. */
function idBeside(threadId: string): string {
  for (;;) {
    const id = v7();
    if (partitionOf(id) === partitionOf(threadId)) return id;
  }
}
