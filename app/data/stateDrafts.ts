/**
 * State updates: what a caller writes into a thread's state without a run. LangGraph computes it against a draft, and all
 * of it (checkpoints, what waits beside them, what the thread shows, and the thread itself where it is new) is stored in
 * one transaction, if nothing has happened on the thread since it was read.
 *
 * A transaction of the scripts that runs use, because each of them judges for itself whether it may write, and in a
 * transaction all judge the same.
 */
import { randomUUID } from "node:crypto";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { Redis } from "../redis/connect.js";
import type { MemoryGuard } from "../redis/memory.js";
import type { Keys } from "../redis/partitions.js";
import type { Confirm } from "../redis/replication.js";
import type { Script, ScriptArgument } from "../redis/scripts.js";
import { scripts } from "../runs/scripts.js";
import { RunRefused } from "../runs/types.js";
import { checkpointerOn, type LangGraphCopy, whileUnchanged } from "./checkpoints/checkpointer.js";
import { DraftStore } from "./checkpoints/draft.js";
import { createArguments, deleting, type NewThread, type ThreadState } from "./threads.js";

export interface StateDraft {
  /** For the graph. What it writes waits for `commit`. */
  readonly checkpointer: BaseCheckpointSaver;
  /** For `config.configurable` of what writes. */
  readonly writer: Readonly<Record<string, unknown>>;
  /**
   * Stores all of it.
   * @param state what the thread's newest checkpoint tells from then on
   * @returns false when the thread has changed since the draft was opened, or exists where it was to be new: nothing was
   *   stored
   * @throws RunRefused `thread_busy`, `thread_missing`, `thread_deleting`
   */
  commit(state: ThreadState): Promise<boolean>;
}

export interface StateDraftsDeps {
  redis: Redis;
  keys: Keys;
  langgraph: LangGraphCopy;
  /** Refuses updates before Redis is full; not given: nobody looks. */
  memory?: Pick<MemoryGuard, "check">;
  /** Waits until a replica has an update; not given: nobody waits. */
  confirm?: Confirm;
}

type Call = [Script, key: string, args: ScriptArgument[]];

export class StateDrafts {
  constructor(private readonly deps: StateDraftsDeps) {}

  /** @throws RunRefused `thread_missing`; `thread_busy`, also where its only run is a delayed one; MemoryFull */
  async open(threadId: string): Promise<StateDraft> {
    const key = this.#thread(threadId);
    this.deps.memory?.check(key);
    const fields = await this.deps.redis.hmget(key, "active", "open", "created_by", "seq", "changes");
    const [active, open, createdBy, seq, changes] = fields;
    if (active === null || active === undefined) throw refused("thread_missing", threadId);
    if (active !== "" || Number(open) > 0) throw refused("thread_busy", threadId);
    return this.#draft(threadId, randomUUID(), `${createdBy ?? ""}:${seq ?? ""}:${changes ?? "0"}`, []);
  }

  /** Of a thread that is made together with its state. @throws MemoryFull */
  openNew(thread: NewThread): StateDraft {
    const key = this.#thread(thread.threadId);
    this.deps.memory?.check(key);
    const nonce = randomUUID();
    return this.#draft(thread.threadId, nonce, `${nonce}:0:0`, [
      [scripts.createThread, key, createArguments(thread, nonce)],
    ]);
  }

  #draft(threadId: string, nonce: string, version: string, before: Call[]): StateDraft {
    const { redis, keys, langgraph } = this.deps;
    const store = new DraftStore({ redis, keys });
    const history = keys.of(threadId, "history", threadId);
    return {
      checkpointer: checkpointerOn(langgraph, store),
      writer: whileUnchanged(version),
      commit: async ({ valuesJson, interruptsJson, status }) => {
        const args = [threadId, version, nonce, valuesJson, interruptsJson, status];
        const answers = await this.#transaction([
          ...before,
          ...store.calls.map(({ script, args }): Call => [script, history, [threadId, ...args]]),
          [scripts.writeState, this.#thread(threadId), args],
        ]);
        const word = answers.at(-1);
        // A thread that was made in the same transaction is missing only where its id is not free yet.
        if (word === "thread_missing" && before.length > 0) throw deleting(threadId);
        if (word === "thread_missing" || word === "thread_busy") throw refused(word, threadId);
        if (word === "stored") await this.deps.confirm?.(history, { runId: threadId, what: "checkpoint" });
        return word === "stored";
      },
    };
  }

  /** The first call of a script brings its text: by its hash alone it could be unknown, and the others would be done. */
  async #transaction(calls: Call[]): Promise<unknown[]> {
    const transaction = this.deps.redis.multi();
    const sent = new Set<Script>();
    for (const [script, key, args] of calls) {
      if (sent.has(script)) transaction.evalsha(script.sha, 1, key, ...args);
      else transaction.eval(script.source, 1, key, ...args);
      sent.add(script);
    }
    const answers = (await transaction.exec().catch(throwCause)) ?? [];
    return answers.map(([error, answer]) => {
      if (error) throw error;
      return answer;
    });
  }

  #thread(threadId: string): string {
    return this.deps.keys.of(threadId, "thread", threadId);
  }
}

/** What Redis refused to take into the transaction says why; that it discarded the transaction for it, does not. */
function throwCause(error: Error & { previousErrors?: Error[] }): never {
  throw error.previousErrors?.[0] ?? error;
}

function refused(reason: "thread_missing" | "thread_busy", threadId: string): RunRefused {
  if (reason === "thread_missing") return new RunRefused(reason, `thread ${threadId} does not exist`);
  return new RunRefused(reason, `thread ${threadId} is busy; its state can be written when no run of it is open`);
}
