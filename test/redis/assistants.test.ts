import { v4 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { AssistantStore } from "../../app/data/assistants/store.js";
import type { Page } from "../../app/data/assistants.js";
import { systemAssistantId } from "../../app/graphs/assistants.js";
import { connect, type Redis } from "../../app/redis/connect.js";
import { Keys } from "../../app/redis/partitions.js";
import { asApp } from "../support/acl.js";
import { type AssistantServer, readsOf, startAssistants } from "../support/assistants.js";
import { newRun, silent } from "../support/core.js";
import { startRedis } from "../support/redis.js";

let url: string;
let admin: Redis;
let first: AssistantServer;
let second: AssistantServer;
let stopRedis: () => Promise<void>;

beforeAll(async () => {
  const redis = await startRedis();
  stopRedis = () => redis.stop();
  url = await asApp(redis.url);
  admin = connect({ url: redis.url }, "worker", silent);
  first = await startAssistants(url);
  second = await startAssistants(url, ["echo", "writer"]);
});
afterAll(async () => {
  for (const server of [first, second]) server.stop();
  admin.disconnect();
  await stopRedis();
});
beforeEach(() => {});

const ECHO = systemAssistantId("echo");
const body = (given: object = {}) => ({
  ...{ graphId: "echo", name: "Mine", description: null, config: {}, context: {}, metadata: {} },
  ...given,
});
const newest: Page = { sortBy: "created_at", sortOrder: "desc", offset: 0, limit: 10 };
const make = (given: object = {}) => first.assistants.create(uuid(), body(given), "raise");
const keysLeft = async () => (await admin.keys("*")).sort();

describe("the assistants of graphs", () => {
  test("have one time of creation, however many servers start and whatever an earlier release kept", async () => {
    // The release before wrote nothing but this.
    const early = systemAssistantId("early");
    await admin.hset(`{sw:0}:assistant:${early}`, "created_at", "1000");
    const servers = await Promise.all([1, 2, 3].map(() => startAssistants(url, ["echo", "early"])));
    for (const { assistants, stop } of servers) {
      expect(await assistants.get("early")).toMatchObject({
        createdAt: new Date(1_000),
        version: 1,
        description: "the early",
      });
      expect(await assistants.get("echo")).toEqual(await first.assistants.get(ECHO));
      stop();
    }
    expect(await first.assistants.versions(early, { metadata: undefined, offset: 0, limit: 10 })).toHaveLength(1);
  });

  test("cost a run no round trip until one is changed, and are then the same on every server", async () => {
    const server = await startAssistants(url, ["changing"]);
    const other = await startAssistants(url, ["changing"]);
    for (const { redis, assistants } of [server, other])
      expect(await readsOf(redis, () => assistants.forRun("changing"))).toBe(0);

    await server.assistants.change("changing", { config: { recursion_limit: 7 } });
    for (const { assistants } of [server, other])
      await vi.waitFor(async () =>
        expect(await assistants.forRun("changing")).toMatchObject({ config: { recursion_limit: 7 } }),
      );
    expect(await readsOf(other.redis, () => other.assistants.forRun("changing"))).toBe(1);

    // A server that starts later doesn't put the first version back.
    const later = await startAssistants(url, ["changing"]);
    expect(await later.assistants.get("changing")).toMatchObject({ version: 2, config: { recursion_limit: 7 } });
    for (const { stop } of [server, other, later]) stop();
  });

  test("are read from Redis while changes can't be heard", async () => {
    const server = await startAssistants(url, ["deaf"]);
    server.subscriber.disconnect();
    await vi.waitFor(async () => expect(await readsOf(server.redis, () => server.assistants.get("deaf"))).toBe(1));
    await server.subscriber.connect();
    await vi.waitFor(async () => expect(await readsOf(server.redis, () => server.assistants.get("deaf"))).toBe(0));
    server.stop();
  });

  test("come back where Redis has lost everything", async () => {
    const server = await startAssistants(url, ["lost"]);
    const key = `{sw:0}:assistant:${systemAssistantId("lost")}`;
    await server.assistants.change("lost", { name: "Changed" });
    await admin.del(key);
    expect(await server.assistants.get("lost")).toBeUndefined();
    server.subscriber.disconnect(true);
    await vi.waitFor(async () =>
      expect(await server.assistants.get("lost")).toMatchObject({ name: "lost", version: 1 }),
    );
    expect(await admin.exists(key)).toBe(1);
    server.stop();
  });

  test("stay with their graph, and can go when it is gone", async () => {
    await expect(first.assistants.delete("echo", { deleteThreads: false })).rejects.toThrow(/stays with it/);
    const server = await startAssistants(url, ["passing"]);
    server.stop();
    await expect(first.assistants.forRun(systemAssistantId("passing"))).rejects.toThrow("graph passing does not exist");
    await first.assistants.delete(systemAssistantId("passing"), { deleteThreads: false });
    expect(await first.assistants.get(systemAssistantId("passing"))).toBeUndefined();
  });
});

describe("changes", () => {
  test("made at the same time all count, each as a version", async () => {
    const { assistantId } = await make({ metadata: { kept: [] } });
    const servers = [first, second];
    await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        servers[index % 2]?.assistants.change(assistantId, { metadata: { [`key${index}`]: index } }),
      ),
    );
    expect(await second.assistants.get(assistantId)).toMatchObject({
      version: 7,
      metadata: { kept: [], key0: 0, key1: 1, key2: 2, key3: 3, key4: 4, key5: 5 },
    });
    const versions = await first.assistants.versions(assistantId, { metadata: undefined, offset: 0, limit: 100 });
    expect(versions.map(({ version }) => version)).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });

  test("made twice, because the answer was lost, count once", async () => {
    const { assistantId } = await make();
    const store = new AssistantStore(first.redis, new Keys("sw"));
    const { evalsha } = first.redis;
    const sent = vi.spyOn(first.redis, "evalsha").mockImplementation(async (...args: Parameters<typeof evalsha>) => {
      await evalsha.apply(first.redis, args);
      return await evalsha.apply(first.redis, args);
    });
    const answer = await store.put({ assistantId, revision: 1, body: body({ name: "Twice" }) });
    sent.mockRestore();
    expect(answer).toMatchObject({ word: "put", record: { name: "Twice", version: 2 } });
  });

  test("of one that is deleted meanwhile are refused, and nothing of it is left", async () => {
    const before = await keysLeft();
    const { assistantId } = await make({ name: "Gone", metadata: { team: "blue", list: [1] } });
    await first.assistants.change(assistantId, { name: "Still", graphId: "writer" });
    await second.assistants.delete(assistantId, { deleteThreads: false });
    await expect(first.assistants.change(assistantId, { name: "Late" })).rejects.toThrow("does not exist");
    await expect(first.assistants.useVersion(assistantId, 1)).rejects.toThrow("does not exist");
    expect(await keysLeft()).toEqual(before);
  });

  test("of the same id made at once make one assistant", async () => {
    const id = uuid();
    const made = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        [first, second][index % 2]?.assistants.create(id, body({ name: `n${index}` }), "raise"),
      ),
    );
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await first.assistants.create(id, body({ name: "other" }), "do_nothing")).toMatchObject({ version: 1 });
  });
});

describe("deleting one", () => {
  test("cancels its open runs and leaves those of others", async () => {
    const mine = await make();
    const other = await make();
    const run = newRun({ assistantId: mine.assistantId });
    const behind = newRun({ assistantId: mine.assistantId, threadId: run.threadId });
    const others = newRun({ assistantId: other.assistantId });
    for (const accepted of [run, behind, others]) await first.core.runs.enqueue(accepted);
    await first.assistants.delete(mine.assistantId, { deleteThreads: false });
    const statusOf = async ({ threadId, runId }: typeof run) => (await first.core.runs.get(threadId, runId))?.status;
    await vi.waitFor(async () => expect(await statusOf(run)).toBe("interrupted"));
    expect(await statusOf(behind)).toBe("interrupted");
    expect(await statusOf(others)).toBe("pending");
  });

  test("takes its threads with it where that is asked for", async () => {
    const mine = await make();
    const run = newRun({ assistantId: mine.assistantId });
    await first.core.runs.enqueue(run);
    const other = newRun();
    await first.core.runs.enqueue(other);
    await second.assistants.delete(mine.assistantId, { deleteThreads: true });
    expect(await first.threads.get(run.threadId)).toBeUndefined();
    expect(await first.threads.get(other.threadId)).toBeDefined();
  });
});

describe("a search", () => {
  const many = 1_200;
  beforeAll(async () => {
    await startAssistants(url, ["echo", "writer", "crowd"]).then(async ({ assistants, stop }) => {
      const create = (index: number) =>
        assistants.create(
          uuid(),
          body({
            ...{ graphId: "crowd", name: `member ${String((index * 7) % many).padStart(4, "0")}` },
            metadata: { team: index % 3 === 0 ? "red" : "blue", even: index % 2 === 0, tags: { number: index } },
          }),
          "raise",
        );
      for (let index = 0; index < many; index += 100)
        await Promise.all(Array.from({ length: 100 }, (_, at) => create(index + at)));
      stop();
    });
  });

  test.each(["created_at", "updated_at", "name", "graph_id", "assistant_id"] as const)(
    "pages through any number by %s, with two commands of Redis beside those of the page",
    async (sortBy) => {
      const page = async (sortOrder: "asc" | "desc", offset: number) =>
        await first.assistants.find({ graphId: "crowd" }, { sortBy, sortOrder, offset, limit: 500 });
      await admin.config("RESETSTAT");
      const { total, page: start } = await page("asc", 0);
      expect(await callsIn(admin)).toEqual({ zcard: 1, zrange: 1, hmget: 500 });
      const rest = [...(await page("asc", 500)).page, ...(await page("asc", 1_000)).page];
      const all = [...start, ...rest].map(({ assistantId }) => assistantId);
      expect([total, new Set(all).size]).toEqual([many + 1, many + 1]);
      const backwards = await page("desc", 0);
      expect(backwards.page.map(({ assistantId }) => assistantId)).toEqual(all.toReversed().slice(0, 500));
    },
  );

  test("by plain values of metadata answers in order at any size", async () => {
    const byName = { sortBy: "name", sortOrder: "asc", offset: 100, limit: 3 } as const;
    const { total, page } = await first.assistants.find({ metadata: { team: "blue" } }, byName);
    expect(total).toBe(800);
    const names = (await first.assistants.find({ metadata: { team: "blue" } }, { ...byName, offset: 0, limit: 800 }))
      .page;
    expect(names.map(({ name }) => name)).toEqual(names.map(({ name }) => name).toSorted());
    expect(page).toEqual(names.slice(100, 103));
    expect(await first.assistants.find({ metadata: { team: "red", even: true } }, newest)).toMatchObject({
      total: 200,
    });
    expect(await first.assistants.find({ metadata: { even: "true" } }, newest)).toEqual({ total: 0, page: [] });
  });

  test("by a part of the name, or by lists and objects, looks at a thousand at most", async () => {
    const filter = { metadata: { team: "red", tags: { number: 3 } } };
    expect(await first.assistants.find(filter, newest)).toMatchObject({ total: 1, page: [{ graphId: "crowd" }] });
    expect(await first.assistants.find({ name: "MEMBER 000", metadata: { team: "red" } }, newest)).toMatchObject({
      total: (await first.assistants.find({ metadata: { team: "red" } }, { ...newest, limit: 1_000 })).page.filter(
        ({ name }) => name.startsWith("member 000"),
      ).length,
    });
    await expect(first.assistants.find({ name: "member" }, newest)).rejects.toThrow(/at most 1000 are/);
    const tooMany = Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`k${index}`, 1]));
    await expect(first.assistants.find({ metadata: tooMany }, newest)).rejects.toThrow(/at most 500 keys/);
  });
});

test("a search's lists and objects need only be a part of what an assistant has", async () => {
  await make({ metadata: { part: "of", held: { a: 1, list: [1, { b: 2, c: 3 }] } } });
  const total = async (held: unknown) =>
    (await first.assistants.find({ metadata: { part: "of", held } }, newest)).total;
  expect(await total({ list: [{ c: 3 }, 1] })).toBe(1);
  expect(await total({ list: [{ c: 2 }] })).toBe(0);
  expect(await total({ a: 1, d: 4 })).toBe(0);
});

/** What commands read assistants since the last RESETSTAT. */
async function callsIn(redis: Redis): Promise<Record<string, number>> {
  const stats = await redis.info("commandstats");
  const calls = [...stats.matchAll(/^cmdstat_(z\w+|hmget|sinter):calls=(\d+)/gm)];
  return Object.fromEntries(calls.map(([, name, count]) => [name, Number(count)]));
}
