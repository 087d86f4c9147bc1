/** Redis runs out of memory: new runs are refused well before, those that were accepted go on. */
import { Redis } from "ioredis";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type Redis as Connection, connect, ready } from "../../app/redis/connect.js";
import { startMemoryGuard } from "../../app/redis/memory.js";
import { trimEvents } from "../../app/runs/trimEvents.js";
import { asApp } from "../support/acl.js";
import { startCluster, threadOfEachPartition } from "../support/cluster.js";
import { type Core, coreOn, newRun, silent, startCore, success } from "../support/core.js";
import { startRedis } from "../support/redis.js";
import { ask } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

const LIMIT = 60 * 1024 * 1024;

/** Something else fills memory up to this part of the limit. */
async function fillTo(part: number, admin: Pick<Connection, "info" | "append">): Promise<void> {
  const used = Number(/^used_memory:(\d+)/m.exec(await admin.info("memory"))?.[1]);
  const piece = Buffer.alloc(256 * 1024, "x");
  for (let left = part * LIMIT - used; left > 0; left -= piece.length) await admin.append(`ballast:${left}`, piece);
}

async function empty(admin: Redis): Promise<void> {
  const names = await admin.keys("ballast:*");
  if (names.length > 0) await admin.del(...names);
}

let all: Topology;
let admin: Redis;
beforeAll(async () => {
  const redis = await startRedis({ args: ["--maxmemory", String(LIMIT)] });
  admin = new Redis(redis.url);
  all = await topology({ servers: 1, workers: 1, redis });
});
afterAll(async () => {
  admin.disconnect();
  await all.stop();
});
beforeEach(() => empty(admin));

const post = (path: string, body: unknown) =>
  fetch(`${all.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const RUN = { assistant_id: "echo", input: ask("hello") };

test("new runs are refused and leave nothing; a run that was accepted ends; once memory is freed all is as before", async () => {
  const { thread_id } = await all.client.threads.create();
  const accepted = await all.client.runs.create(thread_id, "writer", { input: ask("a story") });
  await fillTo(0.87, admin);
  await vi.waitFor(async () => expect((await post("/runs", RUN)).status).toBe(503), { timeout: 5_000 });
  const before = await admin.keys("{sw:*}:r*");
  const refused = await Promise.all([
    post("/runs", RUN),
    post("/runs/stream", RUN),
    post("/runs/wait", RUN),
    post(`/threads/${thread_id}/runs`, RUN),
    post(`/threads/${uuid()}/runs/stream`, { ...RUN, if_not_exists: "create" }),
  ]);
  for (const response of refused) {
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("10");
    expect(((await response.json()) as { detail: string }).detail).toContain("memory is nearly used up");
  }
  expect((await admin.keys("{sw:*}:r*")).sort()).toEqual(before.sort());

  await all.client.runs.join(thread_id, accepted.run_id);
  expect(await all.client.runs.get(thread_id, accepted.run_id)).toMatchObject({ status: "success" });
  await empty(admin);
  await vi.waitFor(async () => expect((await post("/runs", RUN)).status).toBe(200), { timeout: 5_000 });
});

test("with no memory left at all, a run that was accepted ends with its checkpoints", async () => {
  const { thread_id } = await all.client.threads.create();
  const accepted = await all.client.runs.create(thread_id, "writer", { input: ask("a story") });
  await vi.waitFor(async () =>
    expect(await all.client.runs.get(thread_id, accepted.run_id)).toMatchObject({ status: "running" }),
  );
  await expect(fillTo(1.05, admin)).rejects.toThrow("OOM");
  await all.client.runs.join(thread_id, accepted.run_id);
  expect(await all.client.runs.get(thread_id, accepted.run_id)).toMatchObject({ status: "success" });
  expect((await all.client.threads.getHistory(thread_id)).length).toBeGreaterThan(0);
});

test("the oldest events go before memory is used up; the first one, the newest and the end stay", async () => {
  const core = await startCore();
  const started = startMemoryGuard({
    redis: core.redis,
    log: silent,
    spare: (node, stillFull) => trimEvents(core, node, stillFull),
  });
  try {
    const [long, ended] = [await runWith(core, 2_000), await runWith(core, 400)];
    await core.attempts.finish(ended, success, 401, []);
    const used = Number(/^used_memory:(\d+)/m.exec(await core.admin.info("memory"))?.[1]);
    await core.admin.call("CONFIG", "SET", "maxmemory", Math.round(used / 0.95));
    await vi.waitFor(async () => expect((await idsOf(core, long)).length).toBeLessThan(1_500), { timeout: 10_000 });
    await core.admin.call("CONFIG", "SET", "maxmemory", 0);

    const ids = await idsOf(core, long);
    expect(ids[0]).toBe("0-1");
    expect(ids.slice(1)).toEqual(Array.from({ length: ids.length - 1 }, (_, at) => `1-${2_002 - ids.length + at}`));
    expect((await idsOf(core, ended)).at(-1)).toBe("1-401");
    expect((await core.runs.get(ended.threadId, ended.runId))?.status).toBe("success");
  } finally {
    await started.stop();
    await core.stop();
  }
});

test("what is left never begins with the first event of an attempt, which a follower would take for the next", async () => {
  const core = await startCore();
  try {
    const run = await runWith(core, 100);
    await core.attempts.release(run);
    const second = await core.claim(run.threadId);
    await core.attempts.append(second, 1, events(100));
    // Of 203 events the newest half begins with `2-0`.
    await trimEvents(core, { name: "", redis: core.redis }, async () => true);
    expect((await idsOf(core, run)).slice(0, 2)).toEqual(["0-1", "2-1"]);
  } finally {
    await core.stop();
  }
});

test("in a cluster only the threads of the full node are refused", async () => {
  const cluster = await startCluster();
  const redis = connect({ ...cluster.login, url: await asApp(cluster.url) }, "request", silent);
  const subscriber = connect(cluster.login, "subscriber", silent);
  const guard = startMemoryGuard({ redis, log: silent, spare: async () => {} });
  try {
    await ready(redis, 5_000);
    const { keys } = coreOn(redis, subscriber);
    await cluster.admins[0]?.call("CONFIG", "SET", "maxmemory", 1_000_000);
    const refused = () =>
      threadOfEachPartition().filter((threadId) => {
        try {
          guard.check(keys.of(threadId, "run", threadId));
          return false;
        } catch {
          return true;
        }
      }).length;
    await vi.waitFor(() => expect(refused()).toBeGreaterThan(0), { timeout: 5_000 });
    expect(refused()).toBeLessThan(10);
  } finally {
    await guard.stop();
    for (const connection of [redis, subscriber]) connection.disconnect();
    await cluster.stop();
  }
});

const events = (count: number) =>
  Array.from({ length: count }, () => ({ event: "custom", data: `"${"x".repeat(500)}"` }));

/** A claimed run with so many events after its first two. */
async function runWith(core: Core, count: number) {
  const run = newRun();
  await core.runs.enqueue(run);
  const claimed = await core.claim(run.threadId);
  for (let first = 1; first <= count; first += 100) await core.attempts.append(claimed, first, events(100));
  return claimed;
}

async function idsOf(core: Core, run: { threadId: string; runId: string }): Promise<string[]> {
  return (await core.redis.xrange(core.keys.of(run.threadId, "events", run.runId), "-", "+")).map(([id]) => id);
}
