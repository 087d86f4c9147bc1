/** What a primary's replicas have of the writes that were answered. */
import { Writable } from "node:stream";
import pino from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connect, type Redis, ready } from "../../app/redis/connect.js";
import { Keys } from "../../app/redis/partitions.js";
import { type Replication, startReplication } from "../../app/redis/replication.js";
import { asApp } from "../support/acl.js";
import { startCluster, threadOfEachPartition } from "../support/cluster.js";
import { silent } from "../support/core.js";
import { type FailoverPair, startFailoverPair } from "../support/failover.js";
import { startRedis } from "../support/redis.js";

interface Entry {
  event: string;
  runs: string[];
  kinds: string[];
  writes: number;
  total: number;
}

const keys = new Keys("sw");
const keyOf = (threadId: string) => keys.of(threadId, "run", threadId);
let entries: Entry[];
const log = pino(
  new Writable({
    write(line, _encoding, done) {
      const entry = JSON.parse(line);
      if (entry.event === "unconfirmed_writes") entries.push(entry);
      done();
    },
  }),
);

const toStop: (() => unknown)[] = [];
beforeEach(() => {
  entries = [];
});
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function replicationOn(url: string, cluster = false): Promise<{ commands: Redis; replication: Replication }> {
  const login = { url, cluster };
  const commands = connect(login, "worker", silent);
  toStop.push(() => commands.disconnect());
  await ready(commands, 5_000);
  const replication = await startReplication(commands, login, log);
  toStop.push(() => replication.stop());
  return { commands, replication };
}

async function pair(): Promise<FailoverPair> {
  const started = await startFailoverPair();
  toStop.push(() => started.stop());
  return started;
}

test("writes are confirmed by a replica; what it did not get in time is counted, and logged by its run", async () => {
  const redis = await pair();
  const { commands, replication } = await replicationOn(await asApp(redis.url));
  await commands.set(keyOf("first"), "1");
  await replication.confirm(keyOf("first"), { runId: "first", what: "enqueue" });
  expect(entries).toEqual([]);

  redis.stallReplica();
  await commands.set(keyOf("second"), "1");
  await replication.confirm(keyOf("second"), { runId: "second", what: "end" });
  expect(entries).toMatchObject([{ runs: ["second"], kinds: ["end"], writes: 1, total: 1 }]);
  expect(replication.unconfirmed).toBe(1);

  redis.resumeReplica();
  await vi.waitFor(async () => {
    const before = replication.unconfirmed;
    await replication.confirm(keyOf("third"), { runId: "third", what: "checkpoint" });
    expect(replication.unconfirmed).toBe(before);
  });
});

test("a thousand writes at once share few waits, and take no longer than two", async () => {
  const redis = await pair();
  const { replication } = await replicationOn(redis.url);
  const confirmAll = async () => {
    const started = performance.now();
    await Promise.all(
      Array.from({ length: 1_000 }, (_, at) => replication.confirm(keyOf("x"), { runId: `${at}`, what: "enqueue" })),
    );
    return performance.now() - started;
  };
  await confirmAll();
  const calls = Number(/cmdstat_wait:calls=(\d+)/.exec(await redis.primary.admin.info("commandstats"))?.[1]);
  expect(calls).toBeLessThanOrEqual(2);
  redis.stallReplica();
  expect(await confirmAll()).toBeLessThan(1_000);
  expect(entries.flatMap(({ runs }) => runs)).toHaveLength(1_000);
});

test("what was written to a primary that failed is not taken for confirmed by the one that took over", async () => {
  const redis = await pair();
  const { commands, replication } = await replicationOn(redis.url);
  redis.stallReplica();
  await commands.set(keyOf("lost"), "1");
  const confirming = replication.confirm(keyOf("lost"), { runId: "lost", what: "enqueue" });
  await redis.failover();
  await confirming;
  expect(entries.flatMap(({ runs }) => runs)).toEqual(["lost"]);
  await vi.waitFor(async () => expect(await commands.get(keyOf("lost"))).toBeNull(), { timeout: 5_000 });
});

test("a connection that went silent is made anew, and keeps nobody waiting meanwhile", async () => {
  const redis = await pair();
  const { replication } = await replicationOn(redis.url);
  const confirm = (runId: string) => replication.confirm(keyOf(runId), { runId, what: "checkpoint" });
  redis.proxy.silence(true);
  await confirm("silent");
  const asked = performance.now();
  for (let at = 0; at < 20; at++) await confirm(`soon ${at}`);
  expect(performance.now() - asked).toBeLessThan(1_000);
  expect(replication.unconfirmed).toBe(21);
  redis.proxy.silence(false);
  await vi.waitFor(
    async () => {
      const before = replication.unconfirmed;
      await confirm("after");
      expect(replication.unconfirmed).toBe(before);
    },
    { timeout: 10_000 },
  );
});

test("a replica that goes and one that comes are noticed; without any it costs no connection", async () => {
  const alone = await startRedis();
  toStop.push(() => alone.stop());
  const { commands, replication } = await replicationOn(alone.url);
  const names = async () => String(await commands.call("CLIENT", "LIST"));
  await replication.confirm(keyOf("alone"), { runId: "alone", what: "end" });
  expect(await names()).not.toContain("switchyard-replication");
  expect(entries).toEqual([]);

  const replica = await startRedis({ args: ["--replicaof", `127.0.0.1 ${alone.port}`] });
  const seen = { timeout: 10_000, interval: 50 };
  await vi.waitFor(async () => expect(await names()).toContain("switchyard-replication"), seen);
  await replica.stop();
  await vi.waitFor(async () => expect(await names()).not.toContain("switchyard-replication"), seen);
});

test("in a cluster each write is confirmed by a replica of the master that took it", async () => {
  const cluster = await startCluster({ replicas: true });
  toStop.push(() => cluster.stop());
  const { commands, replication } = await replicationOn(cluster.login.url, true);
  const threads = threadOfEachPartition();
  const writeAll = () =>
    Promise.all(
      threads.map(async (threadId) => {
        await commands.set(keyOf(threadId), "1");
        await replication.confirm(keyOf(threadId), { runId: threadId, what: "enqueue" });
      }),
    );
  await writeAll();
  expect(entries).toEqual([]);
  const waits = await Promise.all(cluster.admins.map((admin) => admin.info("commandstats")));
  for (const stats of waits) expect(stats).toContain("cmdstat_wait");

  const replicas = await Promise.all(
    cluster.nodes.map(async (node) => (await node.admin.info("replication")).includes("role:slave") && node),
  );
  const stalled = replicas.find((node) => node !== false) || expect.fail("no replica");
  const master = /master_port:(\d+)/.exec(await stalled.admin.info("replication"))?.[1];
  process.kill(stalled.server.pid, "SIGSTOP");
  toStop.push(() => process.kill(stalled.server.pid, "SIGCONT"));
  await writeAll();
  const ofTheMaster = await Promise.all(
    threads.map(async (threadId) => {
      const admin = cluster.nodes.find(({ port }) => String(port) === master)?.admin;
      return (await admin?.get(keyOf(threadId)).catch(() => null)) === "1";
    }),
  );
  expect(new Set(entries.flatMap(({ runs }) => runs))).toEqual(new Set(threads.filter((_, at) => ofTheMaster[at])));
});
