/** Connections that fail without a word: a network that swallows everything, a Redis that was demoted. */
import { Writable } from "node:stream";
import pino from "pino";
import { afterEach, describe, expect, test, vi } from "vitest";
import { connect, type Redis, ready } from "../../app/redis/connect.js";
import { asApp } from "../support/acl.js";
import { collect, coreOn, newRun, success } from "../support/core.js";
import { startFailoverPair } from "../support/failover.js";
import { startRedis } from "../support/redis.js";
import { startTcpProxy, type TcpProxy } from "../support/tcpProxy.js";

const TIMES = { everyMs: 300, limitMs: 200 };
/** Until a cut connection is made anew: the next look, its limit, and the client's own pauses. */
const NOTICED_WITHIN_MS = 4_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Entry {
  event?: string;
  use?: string;
  reason?: string;
  cuts?: number;
}

/** Its connections go through the proxy; those of the test's own worker don't. */
async function through(proxy: TcpProxy, address: string, direct: string) {
  const entries: Entry[] = [];
  const lines = new Writable({
    write: (line, _encoding, done) => {
      entries.push(JSON.parse(String(line)));
      done();
    },
  });
  const log = pino({ level: "warn" }, lines);
  const url = new URL(address);
  url.port = String(proxy.port);
  const open = (use: "request" | "subscriber", href: string) => {
    const redis = connect({ url: href }, use, log, TIMES);
    cleanups.push(() => redis.disconnect());
    return redis;
  };
  const [redis, subscriber] = [open("request", url.href), open("subscriber", url.href)];
  const past = open("request", direct);
  await Promise.all([redis, subscriber, past].map((connection: Redis) => ready(connection, 5_000)));
  const [server, worker] = [coreOn(redis, subscriber), coreOn(past, subscriber)];
  cleanups.push(
    () => server.runs.close(),
    () => worker.runs.close(),
  );
  const watched = () => entries.filter(({ event }) => event === "redis_watchdog");
  return { redis, subscriber, server, worker, watched };
}

async function silentNetwork() {
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  const proxy = await startTcpProxy({ host: "127.0.0.1", port: redis.port });
  cleanups.push(() => proxy.stop());
  const url = await asApp(redis.url);
  return { proxy, ...(await through(proxy, url, url)) };
}

const event = (data: number) => [{ event: "custom", data: String(data) }];
const idsTo = (last: number) => Array.from({ length: last + 1 }, (_, at) => `1-${at}`);

describe("a connection that has gone silent", () => {
  test("is made anew, and its followers miss nothing", async () => {
    const { proxy, server, worker, watched } = await silentNetwork();
    const run = newRun();
    const all = collect(await server.runs.follow(run.threadId, run.runId, "new"));
    await server.runs.enqueue(run);
    const claimed = await worker.claim(run.threadId);
    await worker.attempts.append(claimed, 1, event(1));
    proxy.silence(true);
    await worker.attempts.append(claimed, 2, event(2));
    const reasons = () => watched().map(({ use, reason }) => [use, reason]);
    await vi.waitFor(
      () => {
        expect(reasons()).toContainEqual(["subscriber", "no answer within 200 ms"]);
        expect(reasons()).toContainEqual(["request", "no answer within 200 ms"]);
      },
      { timeout: NOTICED_WITHIN_MS },
    );
    proxy.silence(false);
    await worker.attempts.finish(claimed, success, 3, []);
    const asked = performance.now();
    expect((await all).map(({ id }) => id)).toEqual(idsTo(3));
    expect(performance.now() - asked).toBeLessThan(NOTICED_WITHIN_MS);
    expect(watched().map(({ cuts }) => cuts)).toContain(1);
  });

  test("costs commands their time-out no longer than until it is noticed", async () => {
    const { proxy, redis } = await silentNetwork();
    proxy.silence(true);
    // While it is not connected, a request is refused at once.
    await vi.waitFor(() => expect(redis.status).not.toBe("ready"), { timeout: NOTICED_WITHIN_MS });
    const asked = performance.now();
    await expect(redis.ping()).rejects.toThrow();
    expect(performance.now() - asked).toBeLessThan(500);
    proxy.silence(false);
    await vi.waitFor(async () => expect(await redis.ping()).toBe("PONG"), { timeout: NOTICED_WITHIN_MS });
  });

  test("is noticed too when only the greeting gets no answer", async () => {
    const { proxy, redis, watched } = await silentNetwork();
    proxy.silence(true);
    proxy.cut();
    await vi.waitFor(() => expect(watched().some(({ cuts }) => (cuts ?? 0) >= 2)).toBe(true), {
      timeout: 2 * NOTICED_WITHIN_MS,
    });
    proxy.silence(false);
    await vi.waitFor(async () => expect(await redis.ping()).toBe("PONG"), { timeout: NOTICED_WITHIN_MS });
  });
});

test("a subscriber of a Redis that was demoted goes to the new primary, and its followers miss nothing", async () => {
  const pair = await startFailoverPair();
  cleanups.push(() => pair.stop());
  const login = await asApp(pair.primary.server.url);
  const replica = pair.replica ?? expect.fail("no replica");
  const { server, subscriber, watched } = await through(pair.proxy, login, login);
  const run = newRun();
  const all = collect(await server.runs.follow(run.threadId, run.runId, "new"));
  await server.runs.enqueue(run);
  const claimed = await server.claim(run.threadId);
  await server.attempts.append(claimed, 1, event(1));
  await vi.waitFor(async () => expect(await replica.admin.keys("*:events:*")).toHaveLength(1));

  await pair.demote();
  pair.proxy.retarget({ host: "127.0.0.1", port: pair.primary.server.port });
  await asApp(pair.primary.server.url);
  const promoted = connect({ url: pair.primary.server.url }, "worker", pino({ level: "silent" }));
  cleanups.push(() => promoted.disconnect());
  const worker = coreOn(promoted, subscriber);
  cleanups.push(() => worker.runs.close());
  await worker.attempts.append(claimed, 2, event(2));
  await worker.attempts.finish(claimed, success, 3, []);
  const asked = performance.now();
  expect((await all).map(({ id }) => id)).toEqual(idsTo(3));
  expect(performance.now() - asked).toBeLessThan(NOTICED_WITHIN_MS);
  await vi.waitFor(() =>
    expect(watched()).toContainEqual(expect.objectContaining({ reason: "it leads to a replica" })),
  );
});

test("a connection that is well is left alone, and one that is closed is watched no longer", async () => {
  const { redis, subscriber, server, watched } = await silentNetwork();
  const [asks, closed] = [vi.spyOn(redis, "role"), vi.spyOn(subscriber, "role")];
  await vi.waitFor(() => expect(asks.mock.calls.length).toBeGreaterThan(2));
  expect(watched()).toEqual([]);
  subscriber.disconnect();
  await vi.waitFor(() => expect(subscriber.status).toBe("end"));
  const [before, others] = [closed.mock.calls.length, asks.mock.calls.length];
  await vi.waitFor(() => expect(asks.mock.calls.length).toBeGreaterThan(others + 2));
  expect(closed.mock.calls.length).toBe(before);
  server.runs.close();
});

test("an answer that our own loop kept from being read is no silence", async () => {
  const { redis, watched } = await silentNetwork();
  const role = redis.role.bind(redis);
  let asked = 0;
  vi.spyOn(redis, "role").mockImplementation((() => {
    const answer = role();
    asked++;
    for (const until = performance.now() + 3 * TIMES.limitMs; asked === 1 && performance.now() < until; );
    return answer;
  }) as typeof redis.role);
  await vi.waitFor(() => expect(asked).toBeGreaterThan(3), { timeout: NOTICED_WITHIN_MS });
  expect(watched()).toEqual([]);
});
