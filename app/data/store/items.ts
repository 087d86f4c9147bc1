/**
 * Store items as Redis keeps them: values by namespace and key, for what graphs remember across threads.
 * `lua/include/items.lua` draws the keys.
 *
 * A search is a range of an index: it finds the latest written items below a prefix without a scan, and only then reads
 * their values. A prefix with a label is a matter of one partition; the empty one asks all of them, one call each.
 */
import type { Redis } from "../../redis/connect.js";
import { type Keys, partitionOf } from "../../redis/partitions.js";
import { Script, type ScriptArgument } from "../../redis/scripts.js";
import { createFilter } from "./filter.js";
import { Indexes } from "./indexes.js";
import {
  check,
  fromId,
  problemOfCount,
  problemOfHome,
  problemOfKey,
  problemOfNamespace,
  StoreRefused,
  toId,
  toNamespace,
  toText,
} from "./names.js";
import { loadStoreScript } from "./scripts.js";

const putItem = loadStoreScript("put_item");
const scripts = {
  putItem,
  putItemEvenWhenFull: new Script("put_item", putItem.source.replace(/^#!lua$/m, "#!lua flags=allow-oom")),
  deleteItem: loadStoreScript("delete_item"),
  readItems: loadStoreScript("read_items"),
};

export interface Item {
  namespace: string[];
  key: string;
  value: Record<string, unknown>;
  createdAt: Date;
  updatedAt: Date;
}

export interface Search {
  filter?: Record<string, unknown> | undefined;
  limit: number;
  offset: number;
  /** Begins the time to live of what is found anew; by default as the project says. */
  refresh?: boolean | undefined;
}

export interface NamespaceSearch {
  /** Labels that a namespace begins and ends with; `*` is any label. */
  prefix?: readonly string[] | undefined;
  suffix?: readonly string[] | undefined;
  /** Longer namespaces are cut to so many labels. */
  maxDepth?: number | undefined;
  limit: number;
  offset: number;
}

export interface TimeToLive {
  /** Of items that are put without one; none where they stay. */
  defaultMs?: number | undefined;
  /** Whether a read begins it anew. */
  refreshOnRead: boolean;
}

export interface ItemStoreDeps {
  redis: Redis;
  keys: Keys;
  timeToLive: TimeToLive;
  /** Calls until Redis answers, if need be: each call here may be repeated. Without it a failure is the caller's. */
  persist?: <T>(call: () => Promise<T>) => Promise<T>;
  /** At maxmemory a run that was accepted must reach its end, so what graphs put is stored even then. */
  evenWhenFull?: boolean;
}

/** A filter looks at no more items, or patterns of labels at no more namespaces (they are short). */
const MOST_CANDIDATES = 1_000;
const MOST_NAMESPACES = 10_000;
const VALUES_AT_ONCE = 100;
const PAGE_BYTES = 1024 * 1024;

export class ItemStore {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #timeToLive: TimeToLive;
  readonly #persist: <T>(call: () => Promise<T>) => Promise<T>;
  readonly #putItem: Script;
  readonly #indexes: Indexes;

  constructor({ redis, keys, timeToLive, persist = (call) => call(), evenWhenFull = false }: ItemStoreDeps) {
    this.#redis = redis;
    this.#keys = keys;
    this.#timeToLive = timeToLive;
    this.#persist = persist;
    this.#indexes = new Indexes(this.#run.bind(this));
    this.#putItem = evenWhenFull ? scripts.putItemEvenWhenFull : scripts.putItem;
  }

  /**
   * Stores an item or replaces it, its time to live included.
   * @param value as JSON has it: what JSON has no text for is left out
   * @param ttlMs null for one that stays; by default as the project says
   * @throws StoreRefused
   */
  async put(namespace: readonly string[], key: string, value: object, ttlMs?: number | null): Promise<void> {
    check("namespace", problemOfHome(namespace));
    check("key", problemOfKey(key));
    const json = JSON.stringify(value);
    if (!json?.startsWith("{")) throw new StoreRefused("value must be an object");
    const ttl = (ttlMs === undefined ? this.#timeToLive.defaultMs : ttlMs) ?? "";
    await this.#run(this.#putItem, homeOf(namespace), [toText(namespace), key, json, ttl]);
  }

  /** @param refresh begins its time to live anew; by default as the project says */
  async get(
    namespace: readonly string[],
    key: string,
    refresh = this.#timeToLive.refreshOnRead,
  ): Promise<Item | undefined> {
    if (isNowhere(namespace, key)) return undefined;
    const [item] = await this.#read(homeOf(namespace), [toId(namespace, key)], refresh);
    return item;
  }

  async delete(namespace: readonly string[], key: string): Promise<void> {
    if (isNowhere(namespace, key)) return;
    await this.#run(scripts.deleteItem, homeOf(namespace), [toId(namespace, key)]);
  }

  /**
   * Items whose namespace begins with these labels, the latest written first.
   * @throws StoreRefused where a filter would have to look at too many
   */
  async search(prefix: readonly string[], search: Search): Promise<Item[]> {
    const { filter = {}, limit, offset, refresh = this.#timeToLive.refreshOnRead } = search;
    check("namespace_prefix", problemOfNamespace(prefix));
    checkPage(limit, offset);
    const passes = createFilter(filter);
    if (Object.keys(filter).length === 0) {
      const found = await take(this.#indexes.ids(prefix, offset, limit), limit);
      return (await this.#readAll(found, refresh)).filter((item) => item !== undefined);
    }
    const found: Item[] = [];
    for await (const item of this.#candidates(prefix)) {
      if (passes(item.value)) found.push(item);
      if (found.length >= offset + limit) break;
    }
    const page = found.slice(offset, offset + limit);
    const ids = page.map(({ namespace, key }) => toId(namespace, key));
    if (refresh) await this.#readAll(ids, true);
    return page;
  }

  /** Namespaces that hold an item, by name. @throws StoreRefused where it would have to look at too many */
  async namespaces({ prefix = [], suffix = [], maxDepth, limit, offset }: NamespaceSearch): Promise<string[][]> {
    check("prefix", problemOfNamespace(prefix));
    check("suffix", problemOfNamespace(suffix));
    checkPage(limit, offset);
    if (maxDepth !== undefined && !(maxDepth >= 1)) throw new StoreRefused("max_depth must be at least 1");
    const wildcard = prefix.indexOf("*");
    const plain = wildcard < 0 ? prefix : prefix.slice(0, wildcard);
    if (wildcard < 0 && suffix.length === 0) {
      const names = await take(this.#indexes.names(plain, maxDepth ?? 0), limit, offset);
      return names.map(toNamespace);
    }
    const found: string[] = [];
    let candidates = 0;
    for await (const name of this.#indexes.names(plain, 0)) {
      if (++candidates > MOST_NAMESPACES) throw tooMany(MOST_NAMESPACES, "namespaces", "a longer prefix without *");
      const labels = toNamespace(name);
      if (!matches(labels.slice(0, prefix.length), prefix) || !matches(labels.slice(-suffix.length), suffix)) continue;
      const cut = toText(labels.slice(0, maxDepth));
      if (found.at(-1) !== cut) found.push(cut);
      if (found.length >= offset + limit) break;
    }
    return found.slice(offset, offset + limit).map(toNamespace);
  }

  /** Drops what is left in the indexes of items whose time is over. */
  async sweep(): Promise<void> {
    await this.#indexes.sweep();
  }

  /** Items below a prefix with their values, the latest written first. @throws StoreRefused after the most that it may be */
  async *#candidates(prefix: readonly string[]): AsyncGenerator<Item> {
    let batch: string[] = [];
    let candidates = 0;
    for await (const id of this.#indexes.ids(prefix, 0, MOST_CANDIDATES + 1)) {
      if (++candidates > MOST_CANDIDATES) {
        yield* await this.#present(batch);
        throw tooMany(MOST_CANDIDATES, "items", "a longer namespace_prefix");
      }
      batch.push(id);
      if (batch.length < VALUES_AT_ONCE) continue;
      yield* await this.#present(batch);
      batch = [];
    }
    yield* await this.#present(batch);
  }

  async #present(ids: string[]): Promise<Item[]> {
    return (await this.#readAll(ids, false)).filter((item) => item !== undefined);
  }

  /** Items by their ids, wherever they are, in the order asked for; nothing for those that are gone. */
  async #readAll(ids: string[], refresh: boolean): Promise<(Item | undefined)[]> {
    const home = (id: string) => homeOf(fromId(id).namespace);
    const read = new Map<string, Item | undefined>();
    await Promise.all(
      [...new Set(ids.map(home))].map(async (partition) => {
        const there = ids.filter((id) => home(id) === partition);
        for (const [at, item] of (await this.#read(partition, there, refresh)).entries())
          read.set(there[at] ?? "", item);
      }),
    );
    return ids.map((id) => read.get(id));
  }

  async #read(partition: number, ids: string[], refresh: boolean): Promise<(Item | undefined)[]> {
    const items: (Item | undefined)[] = [];
    while (items.length < ids.length) {
      const rest = ids.slice(items.length, items.length + VALUES_AT_ONCE);
      const answer = (await this.#run(scripts.readItems, partition, [
        refresh ? 1 : 0,
        PAGE_BYTES,
        ...rest,
      ])) as string[][];
      items.push(...answer.map((fields, at) => toItem(rest[at] ?? "", fields)));
    }
    return items;
  }

  #run(script: Script, partition: number, args: ScriptArgument[]): Promise<unknown> {
    return this.#persist(() => script.run(this.#redis, this.#keys.in(partition, "store", "items", ""), ...args));
  }
}

function homeOf([first = ""]: readonly string[]): number {
  return partitionOf(first);
}

/** No item can be there, so nobody need be asked. */
function isNowhere(namespace: readonly string[], key: string): boolean {
  return (problemOfHome(namespace) ?? problemOfKey(key)) !== undefined;
}

function checkPage(limit: number, offset: number): void {
  if (limit !== Number.POSITIVE_INFINITY) check("limit", problemOfCount(limit));
  check("offset", problemOfCount(offset));
}

function toItem(id: string, [value, createdAt, updatedAt]: string[]): Item | undefined {
  if (value === undefined) return undefined;
  const toDate = (microseconds = "") => new Date(Math.floor(Number(microseconds) / 1000));
  return { ...fromId(id), value: JSON.parse(value), createdAt: toDate(createdAt), updatedAt: toDate(updatedAt) };
}

function matches(labels: string[], pattern: readonly string[]): boolean {
  return pattern.every((label, at) => at < labels.length && (label === "*" || label === labels[at]));
}

async function take<T>(source: AsyncGenerator<T>, limit: number, offset = 0): Promise<T[]> {
  const taken: T[] = [];
  let skipped = 0;
  if (limit > 0)
    for await (const each of source) {
      if (skipped++ < offset) continue;
      taken.push(each);
      if (taken.length === limit) break;
    }
  return taken;
}

function tooMany(most: number, what: string, mend: string): StoreRefused {
  return new StoreRefused(
    `the search would have to look at more than ${most} ${what}; give ${mend}, or a smaller page`,
  );
}
