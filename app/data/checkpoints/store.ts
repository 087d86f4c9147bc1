/**
 * Checkpoints as Redis keeps them: one script, and so one round trip, for each thing that a graph, a worker or a server
 * asks. `lua/include/history.lua` draws the keys. A history lies in its thread's partition. Scripts are given the thread
 * and find its history; that of a copied thread stands on its source's.
 *
 * Why these keys (measured, docs/decisions/checkpoints.md): a hash a checkpoint, with its pending writes in it, is read
 * by one HGETALL; an index by order of arrival finds the newest in O(log n) and needs no trust in the clocks of workers;
 * the references to values are packed in one field, since a field each costs more than most values.
 */
import type { Redis } from "../../redis/connect.js";
import { type Keys, PARTITIONS } from "../../redis/partitions.js";
import type { Confirm } from "../../redis/replication.js";
import { loadScript, Script, type ScriptArgument } from "../../redis/scripts.js";
import { runScriptFolder } from "../../runs/scripts.js";
import { type Fence, RunRefused } from "../../runs/types.js";
import { FencedError, type Writer } from "./author.js";
import { Blobs, Parcel } from "./cells.js";
import {
  type Ancestor,
  bytes,
  list,
  type NewestCheckpoint,
  type Place,
  readAncestor,
  readCheckpoint,
  readNewest,
  type Step,
  type StoredCheckpoint,
  type StoredWrite,
  text,
} from "./stored.js";

const load = (name: string) => loadScript(new URL("../lua/", import.meta.url), name, runScriptFolder);
const putCheckpoint = load("put_checkpoint");
const putWrites = load("put_writes");
const scripts = {
  putCheckpoint: { ofRun: evenWhenFull(putCheckpoint), ofOthers: putCheckpoint },
  putWrites: { ofRun: evenWhenFull(putWrites), ofOthers: putWrites },
  readCheckpoints: load("read_checkpoints"),
  readAncestors: load("read_ancestors"),
  readNamespaces: load("read_namespaces"),
  newestCheckpoint: load("newest_checkpoint"),
  takeBack: load("take_back"),
  deleteHistory: load("delete_history"),
};

/**
 * At maxmemory Redis refuses a script that may write. New runs are refused well before that; a run that was accepted
 * must reach its end, so the writes of attempts go on. A state update is new work, and is refused.
 */
function evenWhenFull(script: Script): Script {
  return new Script(script.name, script.source.replace(/^#!lua$/m, "#!lua flags=allow-oom"));
}

const PAGE_CHECKPOINTS = 50;
const PAGE_ANCESTORS = 200;
const PAGE_NAMES = 100;
/** A page ends after the checkpoint that passes this. */
const PAGE_BYTES = 1024 * 1024;
const DELETED_AT_ONCE = 200;

export interface CheckpointStoreDeps {
  redis: Redis;
  keys: Keys;
  /** Calls until Redis answers, if need be: each call here may be repeated. Without it a failure is the caller's. */
  persist?: <T>(call: () => Promise<T>) => Promise<T>;
  /** Waits until a replica has a run's checkpoint. */
  confirm?: Confirm | undefined;
}

export class CheckpointStore {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #persist: <T>(call: () => Promise<T>) => Promise<T>;
  readonly #confirm: Confirm | undefined;

  constructor({ redis, keys, persist = (call) => call(), confirm }: CheckpointStoreDeps) {
    this.#redis = redis;
    this.#keys = keys;
    this.#persist = persist;
    this.#confirm = confirm;
  }

  /**
   * @returns false when the parent doesn't hold an unchanged channel at its version: nothing was stored, send all values
   * @throws FencedError; RunRefused (`thread_busy`, `thread_missing`) for a writer that depends on the thread's version
   */
  async put(step: Step, writer: Writer): Promise<boolean> {
    const { script, args } = putCall(step, writer);
    const isStored = accepted(text(await this.#run(script, step.threadId, args)), step.threadId) === "stored";
    if (isStored && writer.author)
      await this.#confirm?.(this.#key(step.threadId), { runId: writer.author.runId, what: "checkpoint" });
    return isStored;
  }

  /** Stores the writes of one task beside a checkpoint, which may come later. @throws as `put` */
  async putWrites(place: Place, checkpointId: string, task: TaskWrites, writer: Writer): Promise<void> {
    const { script, args } = putWritesCall(place, checkpointId, task, writer);
    accepted(text(await this.#run(script, place.threadId, args)), place.threadId);
  }

  /** One checkpoint; the newest without an id. */
  async get(place: Place, id: string | undefined): Promise<StoredCheckpoint | undefined> {
    const { checkpoints } = await this.#page(place, { id, limit: 1 });
    return checkpoints[0];
  }

  /** The checkpoints of a namespace, newest first, in pages bounded by `pageSize` and in bytes. */
  async *list(place: Place, before: string | undefined, pageSize: number): AsyncGenerator<StoredCheckpoint> {
    const limit = Math.min(pageSize, PAGE_CHECKPOINTS);
    for (let cursor = before; ; ) {
      const { checkpoints, more } = await this.#page(place, { before: cursor, limit });
      yield* checkpoints;
      if (!more) return;
      cursor = checkpoints.at(-1)?.id;
    }
  }

  async #page(
    { threadId, ns }: Place,
    { id = "", before = "", limit }: { id?: string | undefined; before?: string | undefined; limit: number },
  ): Promise<{ checkpoints: StoredCheckpoint[]; more: boolean }> {
    const reply = await this.#run(scripts.readCheckpoints, threadId, [ns, id, before, limit, PAGE_BYTES]);
    const [tuples, flat, more] = list(reply);
    const blobs = new Blobs(list(flat).map(bytes));
    return { checkpoints: list(tuples).map((tuple) => readCheckpoint(tuple, blobs)), more: more === 1 };
  }

  /**
   * What the ancestors of a checkpoint (of the newest without an id) hold of some channels, nearest first; of each
   * channel up to the first ancestor that has a value of it.
   */
  async *ancestors({ threadId, ns }: Place, id: string | undefined, channels: string[]): AsyncGenerator<Ancestor> {
    const wanted = new Set(channels);
    let from = "";
    do {
      const args = [ns, id ?? "", from, PAGE_ANCESTORS, PAGE_BYTES, ...wanted];
      const [next, flat, ...ancestors] = list(await this.#run(scripts.readAncestors, threadId, args));
      const blobs = new Blobs(list(flat).map(bytes));
      for (const reply of ancestors) {
        const ancestor = readAncestor(reply, blobs);
        for (const { channel } of ancestor.values) wanted.delete(channel);
        yield ancestor;
      }
      from = text(next);
    } while (from !== "");
  }

  /** The threads that have checkpoints. */
  async *threads(): AsyncGenerator<string> {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const key = this.#keys.in(partition, "histories");
      yield* this.#names((from) =>
        this.#persist(() => this.#redis.zrangebylex(key, from, "+", "LIMIT", 0, PAGE_NAMES)),
      );
    }
  }

  /** The namespaces of a thread, by name. */
  namespaces(threadId: string): AsyncGenerator<string> {
    return this.#names(async (from) =>
      list(await this.#run(scripts.readNamespaces, threadId, [from, PAGE_NAMES])).map(text),
    );
  }

  async *#names(page: (from: string) => Promise<string[]>): AsyncGenerator<string> {
    for (let from = "-"; ; ) {
      const names = await page(from);
      yield* names;
      if (names.length < PAGE_NAMES) return;
      from = `(${names.at(-1)}`;
    }
  }

  /** For a takeover: who stored the thread's newest checkpoint, and who wrote beside it. One round trip. */
  async newest(threadId: string): Promise<NewestCheckpoint | undefined> {
    return readNewest(await this.#run(scripts.newestCheckpoint, threadId, [""]));
  }

  /**
   * Before a run is started again: what its earlier attempts wrote of answers, questions and errors beside checkpoints of
   * others is undone, and the checkpoints that they stored of subgraphs are removed. What tasks had finished stays. Nothing
   * is undone of a run that has stored a checkpoint of the root graph: it goes on from there.
   * @returns the number of writes undone and of checkpoints removed
   * @throws FencedError
   */
  async takeBack({ threadId, runId, owner }: Fence): Promise<number> {
    const answer = await this.#run(scripts.takeBack, threadId, [threadId, runId, owner]);
    if (typeof answer !== "number") throw new FencedError(threadId);
    return answer;
  }

  /** Removes the checkpoints, writes and values of a thread in steps of bounded length. Fence the thread first. */
  async deleteThread(threadId: string): Promise<void> {
    while ((await this.#run(scripts.deleteHistory, threadId, [DELETED_AT_ONCE])) === 1);
  }

  #key(history: string): string {
    return this.#keys.of(history, "history", history);
  }

  #run(script: Script, history: string, args: ScriptArgument[]): Promise<unknown> {
    return this.#persist(() => script.runBuffer(this.#redis, this.#key(history), history, ...args));
  }
}

/** What one task of a step wrote. */
export interface TaskWrites {
  id: string;
  path: string;
  writes: Pick<StoredWrite, "idx" | "channel" | "value">[];
}

/** A script, and its arguments after the history's name. */
export interface ScriptCall {
  script: Script;
  args: ScriptArgument[];
}

export function putCall(step: Step, writer: Writer): ScriptCall {
  const { threadId, ns, id, parentId = "", head, format, metadata, unchanged, changed } = step;
  const parcel = new Parcel();
  return {
    script: writer.author ? scripts.putCheckpoint.ofRun : scripts.putCheckpoint.ofOthers,
    args: [
      ...[threadId, ns, id, parentId, ...named(writer)],
      ...[head, format, metadata.type, Buffer.from(metadata.bytes), unchanged.length, changed.length],
      ...unchanged.flatMap(({ channel, version }) => [channel, version]),
      ...changed.flatMap(({ channel, version, value }) => [channel, version, ...parcel.add(value)]),
      ...parcel.blobs(),
    ],
  };
}

export function putWritesCall(
  { threadId, ns }: Place,
  checkpointId: string,
  { id, path, writes }: TaskWrites,
  writer: Writer,
): ScriptCall {
  const parcel = new Parcel();
  return {
    script: writer.author ? scripts.putWrites.ofRun : scripts.putWrites.ofOthers,
    args: [
      ...[threadId, ns, checkpointId, ...named(writer), id, path, writes.length],
      ...writes.flatMap(({ idx, channel, value }) => [idx, channel, ...parcel.add(value)]),
      ...parcel.blobs(),
    ],
  };
}

/** run, owner, attempt, version: how the scripts take a writer. */
function named({ author, version = "" }: Writer): ScriptArgument[] {
  return [author?.runId ?? "", author?.owner ?? "", author?.attempt ?? "", version];
}

function accepted(answer: string, threadId: string): string {
  if (answer === "fenced") throw new FencedError(threadId);
  if (answer === "thread_busy") throw new RunRefused(answer, `thread ${threadId} has an active run`);
  if (answer === "thread_changed") throw new RunRefused("thread_busy", `thread ${threadId} has changed meanwhile`);
  if (answer === "thread_missing") throw new RunRefused(answer, `thread ${threadId} does not exist`);
  return answer;
}
