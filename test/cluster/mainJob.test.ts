/** The main job on a cluster: real graphs on two servers and two workers, by the official SDK, and what it connects. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type TestCluster } from "../support/cluster.js";
import { ask, type Chunk, collectChunks } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

const SERVERS = 2;
const WORKERS = 2;
const PARTITIONS = 16;
const SUBSCRIBERS = "ioredis-cluster(ssubscriber):switchyard-subscriber";

let cluster: TestCluster;
let all: Topology;
beforeAll(async () => {
  cluster = await startCluster();
  const environment = { REDIS_CLUSTER: "true", RUNS_PER_WORKER: "20", DRAIN_SECONDS: "1" };
  all = await topology({ servers: SERVERS, workers: WORKERS, environment, redis: cluster });
}, 120_000);
afterAll(() => all.stop());

const server = (number: 0 | 1) => {
  const instance = all.servers[number];
  if (!instance) throw new Error(`there is no server ${number}`);
  return instance.client;
};

/** How many connections each node has of each use; those that only read the map of slots come and go. */
async function connections(): Promise<Record<string, number>[]> {
  return await Promise.all(
    cluster.admins.map(async (admin) => {
      const counts: Record<string, number> = {};
      for (const [, name = ""] of String(await admin.call("CLIENT", "LIST")).matchAll(/ name=(\S+)/g))
        if (!name.includes("refresher")) counts[name] = (counts[name] ?? 0) + 1;
      return counts;
    }),
  );
}

test("forty writers at once: no event lost, repeated or out of order, and no connection more than before", {
  timeout: 90_000,
}, async () => {
  const write = () =>
    collectChunks(
      all.client.runs.stream(null, "writer", {
        input: ask("at once"),
        streamMode: "messages-tuple",
      }) as AsyncIterable<Chunk>,
    );
  // A subscriber connects to a master when it is first needed there, which chance decides: so many runs until all have.
  await expect
    .poll(
      async () => {
        await Promise.all(
          Array.from({ length: 20 }, () => all.client.runs.wait(null, "echo", { input: ask("hello") })),
        );
        return (await connections()).map((counts) => counts[SUBSCRIBERS]);
      },
      { timeout: 30_000 },
    )
    .toEqual(cluster.admins.map(() => SERVERS + WORKERS));
  const before = await connections();
  const streams = Array.from({ length: 40 }, write);
  await expect.poll(async () => (await running()).reduce((sum, count) => sum + count, 0), { timeout: 20_000 }).toBe(40);
  const during = await connections();
  for (const chunks of await Promise.all(streams)) {
    const ids = chunks.map(({ id }) => id);
    expect(ids).toEqual(ids.map((_, at) => `1-${at}`));
    expect(chunks[0]?.event).toBe("metadata");
    expect(chunks.filter(({ event }) => event === "messages").length).toBeGreaterThan(150);
    expect(chunks.filter(({ event }) => event === "error")).toEqual([]);
  }

  expect(during).toEqual(before);
  const total = (use: string) => during.reduce((sum, counts) => sum + (counts[use] ?? 0), 0);
  expect(during.map((counts) => Object.keys(counts).sort())).toEqual(
    during.map(() => [
      SUBSCRIBERS,
      "switchyard-blocking",
      "switchyard-heartbeat",
      "switchyard-request",
      "switchyard-worker",
    ]),
  );
  for (const counts of during)
    expect(counts).toMatchObject({
      [SUBSCRIBERS]: SERVERS + WORKERS,
      "switchyard-request": SERVERS,
      "switchyard-worker": WORKERS,
      "switchyard-heartbeat": WORKERS,
    });
  expect(total("switchyard-blocking")).toBe(WORKERS * PARTITIONS);
});

const running = () =>
  Promise.all(
    all.workers.map(async ({ url }) => ((await (await fetch(`${url}/ok`)).json()) as { running: number }).running),
  );

test("a run is started through one server, followed through the other, cancelled through the first", async () => {
  const { thread_id } = await server(0).threads.create();
  const run = await server(0).runs.create(thread_id, "writer", { input: ask("slowly"), streamMode: "messages-tuple" });
  const followed = server(1).runs.joinStream(thread_id, run.run_id, { streamMode: "messages-tuple" });
  const seen: Chunk[] = [];
  for await (const chunk of followed) {
    seen.push(chunk as Chunk);
    if (seen.length === 5) await server(0).runs.cancel(thread_id, run.run_id, true);
  }
  expect(seen.length).toBeGreaterThan(3);
  expect(seen.length).toBeLessThan(150);
  expect(await server(1).runs.get(thread_id, run.run_id)).toMatchObject({ status: "interrupted" });
  expect(await server(0).threads.get(thread_id)).not.toMatchObject({ status: "busy" });
});

test("an interrupt is resumed through the other server", async () => {
  const { thread_id } = await server(0).threads.create();
  await server(0).runs.wait(thread_id, "approval", { input: ask("send the letter") });
  const waiting = await server(1).threads.get(thread_id);
  expect(waiting.status).toBe("interrupted");
  await server(1).runs.wait(thread_id, "approval", { command: { resume: { type: "accept" } } });
  expect(await server(0).threads.get(thread_id)).toMatchObject({ status: "idle", interrupts: {} });
  expect((await server(1).threads.getHistory(thread_id)).length).toBeGreaterThan(2);
});

test("more runs than slots: each worker takes what it has slots for, and all end", { timeout: 60_000 }, async () => {
  const most = [0, 0];
  const watch = setInterval(async () => {
    for (const [at, count] of (await running()).entries()) most[at] = Math.max(most[at] ?? 0, count);
  }, 20);
  const runs = Array.from({ length: 100 }, (_, at) =>
    all.client.runs.wait(null, at % 10 === 0 ? "writer" : "echo", { input: ask(`number ${at}`) }),
  );
  try {
    for (const answer of await Promise.all(runs)) expect(answer).toHaveProperty("messages");
  } finally {
    clearInterval(watch);
  }
  for (const count of most) expect(count).toBeLessThanOrEqual(20);
});

test("workers that stop hand their runs on", { timeout: 60_000 }, async () => {
  const { thread_id } = await server(0).threads.create();
  const waits = Array.from({ length: 8 }, () => all.client.runs.wait(null, "writer", { input: ask("keep writing") }));
  await expect.poll(async () => (await running()).every((count) => count > 0), { timeout: 20_000 }).toBe(true);
  const ending = all.workers.map((worker) => worker.end("SIGTERM"));
  await all.startWorker();
  const later = all.client.runs.wait(thread_id, "echo", { input: ask("after") });
  expect(await Promise.all(ending)).toEqual([0, 0]);
  for (const answer of await Promise.all(waits)) expect(answer).toHaveProperty("messages");
  expect(await later).toHaveProperty("messages");
});

test("a cluster that is not named as one is refused with the setting that names it", async () => {
  await expect(all.startServer({ REDIS_CLUSTER: "false" })).rejects.toThrow("REDIS_CLUSTER=true");
});
