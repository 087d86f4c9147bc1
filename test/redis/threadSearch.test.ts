/** Searches among 10,000 threads: what they find, and what they cost, by Redis's own counts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  compareThreads,
  matches,
  THREAD_SORT_KEYS,
  type ThreadFilter,
  type ThreadPage,
} from "../../app/data/threads/filter.js";
import { ThreadSearch } from "../../app/data/threads/search.js";
import type { ThreadRecord } from "../../app/data/threads.js";
import { type Core, startCore } from "../support/core.js";
import { commandsOf, manyThreads, readThreads } from "../support/manyThreads.js";

const COUNT = 10_000;

let core: Core;
let search: ThreadSearch;
let all: ThreadRecord[];
beforeAll(async () => {
  core = await startCore();
  search = new ThreadSearch(core.redis, core.keys);
  all = await readThreads(core.admin, core.keys, await manyThreads(core.redis, core.keys, COUNT));
}, 60_000);
afterAll(() => core.stop());

const filters: ThreadFilter[] = [
  {},
  { status: "interrupted" },
  { metadata: { user: "u7" } },
  { metadata: { all: true } },
  { metadata: { all: true, team: "red" } },
  { status: "idle", metadata: { team: "red" } },
  { status: "idle", metadata: { all: true } },
  { status: "error", metadata: { user: "u7", team: "blue" } },
];
const orders = THREAD_SORT_KEYS.flatMap((sortBy) =>
  (["asc", "desc"] as const).map((sortOrder) => ({ sortBy, sortOrder })),
);
const ids = (threads: ThreadRecord[]) => threads.map(({ threadId }) => threadId);
const asked = filters.map((filter) => [JSON.stringify(filter), filter] as const);

test.each(asked)("%s finds what is so, in every order and page", async (_name, filter) => {
  const matching = all.filter((thread) => matches(thread, filter));
  expect(await search.count(filter)).toBe(matching.length);
  for (const order of orders) {
    const sorted = matching.toSorted(compareThreads(order));
    const pages = [[0, 10], [25, 100], ...(order.sortBy === "status" ? [[matching.length - 3, 10]] : [])];
    for (const [offset = 0, limit = 0] of pages) {
      const page: ThreadPage = { ...order, offset: Math.max(0, offset), limit };
      const { threads, total, more } = await search.find(filter, page, { withState: false });
      const expected = sorted.slice(page.offset, page.offset + limit);
      expect(ids(threads), JSON.stringify(page)).toEqual(ids(expected));
      expect([total, more]).toEqual([matching.length, page.offset + limit < matching.length]);
    }
  }
});

test("none of them scans: the threads of the page are read, and entries of the indexes", async () => {
  for (const [name, filter] of asked) {
    const matching = all.filter((thread) => matches(thread, filter)).length;
    for (const order of orders) {
      await commandsOf(core.admin);
      await search.find(filter, { ...order, offset: 0, limit: 10 }, { withState: true });
      const { evalsha, hmget, ...within } = await commandsOf(core.admin);
      const at = `${name} by ${order.sortBy} ${order.sortOrder}`;
      expect([evalsha, hmget], at).toEqual([16, Math.min(10, matching)]);
      // A partition counts, and takes a page: once, by status once for each; ten members more often are walked over.
      const calls = Object.values(within).reduce((sum, each) => sum + each, 0);
      expect(calls, `${at}: ${JSON.stringify(within)}`).toBeLessThanOrEqual(16 * (order.sortBy === "status" ? 20 : 8));
      for (const command of Object.keys(within)) expect(ON_INDEXES, at).toContain(command);
    }
  }
});
const ON_INDEXES = ["zcard", "zrange", "zintercard", "zinter", "zmscore"];

test("a count asks each partition once", async () => {
  for (const [, filter] of asked) {
    await commandsOf(core.admin);
    await search.count(filter);
    const { evalsha, ...within } = await commandsOf(core.admin);
    expect(evalsha).toBe(16);
    expect(Object.keys(within)).toEqual([expect.stringMatching(/^(zcard|zintercard)$/)]);
    expect(Object.values(within)).toEqual([16]);
  }
});
