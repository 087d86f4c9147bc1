/**
 * Finding threads. Each partition keeps indexes of its own (`runs/lua/include/thread_index.lua`) and answers its share
 * of a page; what no index says is checked on the threads themselves, on a bounded number.
 */
import type { Redis } from "../../redis/connect.js";
import { ALL_PARTITIONS, type Keys, partitionOf } from "../../redis/partitions.js";
import { scripts } from "../../runs/scripts.js";
import { merge } from "../store/merge.js";
import { type ThreadRecord, toRecord } from "../threads.js";
import { compareThreads, isIndexed, matches, setsOf, type ThreadFilter, type ThreadPage } from "./filter.js";
import { ThreadRefused } from "./refused.js";

/** Threads that one search looks at. */
export const MOST_LOOKED_AT = 1_000;
const READ_AT_ONCE = 100;
/** Of values and interrupts on a page; a server needs some six times as much to answer them. */
const MOST_STATE_BYTES = 64 * 1024 * 1024;
/** Ids that a partition tells at once. */
const MOST_A_PAGE = 1_000;

const FIELDS = [
  ...["created_at", "updated_at", "state_updated_at", "metadata", "graph_id", "assistant_id", "config"],
  ...["status", "ttl", "ttl_strategy", "stale", "active", "seq", "lifetime"],
];
const STATE_FIELDS = ["values", "interrupts"];

export interface FoundThreads {
  threads: ThreadRecord[];
  /** How many match; undefined where that would take looking at more threads than one search may. */
  total: number | undefined;
  /** Whether more may follow the page. */
  more: boolean;
}

interface Head {
  threadId: string;
  place: number;
}

export class ThreadSearch {
  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
  ) {}

  /**
   * @param withState whether values and interrupts are wanted: they may be large
   * @throws ThreadRefused `too_much` where a filter that no index answers would have to look at too many, or the states
   *   that are wanted are too large together
   */
  async find(filter: ThreadFilter, page: ThreadPage, { withState }: { withState: boolean }): Promise<FoundThreads> {
    const { offset, limit } = page;
    const end = offset + limit;
    if (filter.ids) {
      const found = await this.#among(filter.ids, filter);
      found.sort(compareThreads(page));
      const threads = await this.#page(found.slice(offset, end).map(idOf), withState);
      return { threads, total: found.length, more: end < found.length };
    }
    if (isIndexed(filter)) {
      const { total, heads } = await this.#heads(filter, page, end);
      if (offset >= total) return { threads: [], total, more: false };
      const ids: string[] = [];
      let at = 0;
      for await (const { threadId } of heads) {
        if (at++ >= offset) ids.push(threadId);
        if (at >= end) break;
      }
      return { threads: await this.#page(ids, withState), total, more: end < total };
    }
    return await this.#look(filter, page, withState);
  }

  /** @throws ThreadRefused `too_much`, as of `find` */
  async count(filter: ThreadFilter): Promise<number> {
    const { total, heads } = await this.#heads(filter, COUNTING, isIndexed(filter) ? 0 : READ_AT_ONCE);
    if (isIndexed(filter)) return total;
    if (total > MOST_LOOKED_AT) throw tooMany(total);
    let matching = 0;
    for await (const threads of this.#candidates(heads, hasValues(filter)))
      matching += threads.filter((thread) => matches(thread, filter)).length;
    return matching;
  }

  /** Checks what the indexes leave, in order. Where they leave too many it stops with the page, without a total. */
  async #look(filter: ThreadFilter, page: ThreadPage, withState: boolean): Promise<FoundThreads> {
    const end = page.offset + page.limit;
    const { total, heads } = await this.#heads(filter, page, READ_AT_ONCE);
    const found: string[] = [];
    const told = async () => await this.#page(found.slice(page.offset, end), withState);
    let looked = 0;
    for await (const threads of this.#candidates(heads, hasValues(filter))) {
      found.push(...threads.filter((thread) => matches(thread, filter)).map(idOf));
      looked += READ_AT_ONCE;
      if (total <= MOST_LOOKED_AT) continue;
      if (found.length >= end) return { threads: await told(), total: undefined, more: true };
      if (looked >= MOST_LOOKED_AT) throw tooMany(total);
    }
    return { threads: await told(), total: found.length, more: end < found.length };
  }

  async #among(ids: readonly string[], filter: ThreadFilter): Promise<ThreadRecord[]> {
    const found: ThreadRecord[] = [];
    const rest = [...new Set(ids)];
    while (rest.length > 0) {
      const threads = await this.#read(rest.splice(0, READ_AT_ONCE), hasValues(filter));
      found.push(...threads.filter((thread) => matches(thread, filter)).map(withoutState));
    }
    return found;
  }

  async *#candidates(heads: AsyncGenerator<Head>, withState: boolean): AsyncGenerator<ThreadRecord[]> {
    let ids: string[] = [];
    for await (const { threadId } of heads) {
      ids.push(threadId);
      if (ids.length < READ_AT_ONCE) continue;
      yield await this.#read(ids, withState);
      ids = [];
    }
    yield await this.#read(ids, withState);
  }

  /** All partitions at once: how many threads are in the sets of a filter, and these in order, for who wants `count`. */
  async #heads(
    filter: ThreadFilter,
    page: Order,
    count: number,
  ): Promise<{ total: number; heads: AsyncGenerator<Head> }> {
    const sets = setsOf(filter);
    const size = Math.min(count, MOST_A_PAGE);
    const ask = async (partition: number, offset: number) => {
      const args = [page.sortBy, page.sortOrder, offset, size, ...sets];
      const answer = await scripts.findThreads.run(this.redis, this.keys.in(partition, "threads", "indexed"), ...args);
      const [total, ...flat] = answer as [number, ...string[]];
      const heads = flat.flatMap((threadId, at) => (at % 2 ? [] : [{ threadId, place: Number(flat[at + 1]) }]));
      return { total, heads };
    };
    async function* along(partition: number, first: Head[]): AsyncGenerator<Head> {
      let heads = first;
      for (let offset = size; ; offset += size) {
        yield* heads;
        if (heads.length < size || size === 0) return;
        ({ heads } = await ask(partition, offset));
      }
    }
    const firsts = await Promise.all(ALL_PARTITIONS.map((partition) => ask(partition, 0)));
    const sources = firsts.map(({ heads }, partition) => along(partition, heads));
    const sign = page.sortOrder === "asc" ? 1 : -1;
    const compare = (a: Head, b: Head) => sign * (a.place - b.place || (a.threadId < b.threadId ? -1 : 1));
    return { total: firsts.reduce((sum, { total }) => sum + total, 0), heads: merge(sources, compare) };
  }

  /** As `read`; all that is told of states is read here, so that those that only had to be looked at are not kept. */
  async #page(ids: readonly string[], withState: boolean): Promise<ThreadRecord[]> {
    const threads: ThreadRecord[] = [];
    for (let from = 0; from < ids.length; from += READ_AT_ONCE) {
      threads.push(...(await this.#read(ids.slice(from, from + READ_AT_ONCE), withState)));
      refuseLarge(threads);
    }
    return threads;
  }

  /** In the order of the ids; without those that are not there. */
  async #read(ids: string[], withState: boolean): Promise<ThreadRecord[]> {
    const names = [...FIELDS, ...(withState ? STATE_FIELDS : [])];
    const threads: ThreadRecord[] = [];
    const missing: string[] = [];
    for (let from = 0; from < ids.length; from += READ_AT_ONCE) {
      const some = ids.slice(from, from + READ_AT_ONCE);
      const read = await Promise.all(some.map((id) => this.redis.hmget(this.keys.of(id, "thread", id), ...names)));
      for (const [at, threadId] of some.entries()) {
        const fields = Object.fromEntries(names.flatMap((name, of) => [[name, read[at]?.[of]]]).filter(isThere));
        if (fields.created_at === undefined) missing.push(threadId);
        else if (fields.lifetime !== "delete") threads.push(toRecord(threadId, fields));
      }
    }
    await this.#forget(missing);
    return threads;
  }

  /** The release before deletes threads and leaves them in the index. */
  async #forget(ids: string[]): Promise<void> {
    for (const partition of new Set(ids.map(partitionOf))) {
      const there = ids.filter((id) => partitionOf(id) === partition);
      await scripts.indexThreads.run(this.redis, this.keys.in(partition, "threads", "indexed"), ...there);
    }
  }
}

type Order = Pick<ThreadPage, "sortBy" | "sortOrder">;
const COUNTING: Order = { sortBy: "updated_at", sortOrder: "desc" };

const hasValues = ({ values = {} }: ThreadFilter) => Object.keys(values).length > 0;

const isThere = (entry: (string | null | undefined)[]): entry is [string, string] => typeof entry[1] === "string";

const idOf = ({ threadId }: ThreadRecord) => threadId;

const withoutState = (thread: ThreadRecord): ThreadRecord => ({ ...thread, valuesJson: "null", interruptsJson: "{}" });

function refuseLarge(threads: readonly ThreadRecord[]): void {
  const bytes = threads.reduce(
    (sum, { valuesJson, interruptsJson }) => sum + valuesJson.length + interruptsJson.length,
    0,
  );
  if (bytes > MOST_STATE_BYTES)
    throw new ThreadRefused(
      "too_much",
      `body: the states of these threads take more than ${MOST_STATE_BYTES / 1024 / 1024} MiB together: ask for fewer, ` +
        "or leave values out with select",
    );
}

function tooMany(total: number): ThreadRefused {
  return new ThreadRefused(
    "too_much",
    `body: ${total} threads are left to look at one by one for values, or lists and objects in metadata; at most ` +
      `${MOST_LOOKED_AT} are: add a status or a plain value of metadata`,
  );
}
