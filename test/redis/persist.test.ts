/** Writes of a worker while Redis is away. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { resolveRedisBinary } from "../../app/local/redisBinary.js";
import { type RedisServer, startRedisServer } from "../../app/local/redisServer.js";
import { connect, type Redis, ready } from "../../app/redis/connect.js";
import { createPersist } from "../../app/redis/persist.js";
import { silent } from "../support/core.js";
import { startRedis } from "../support/redis.js";

let server: RedisServer;
let redis: Redis;
let failures = 0;
beforeAll(async () => {
  server = await startRedis();
  redis = connect({ url: server.url }, "worker", silent);
  redis.on("error", () => failures++);
  await ready(redis, 5_000);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** Redis is gone, and the client has tried in vain. */
async function away(): Promise<void> {
  await server.stop();
  failures = 0;
  await vi.waitFor(() => expect(failures).toBeGreaterThan(0), { timeout: 5_000 });
}

test("a write waits through attempts to connect that fail, and is made when Redis is back", async () => {
  const persist = createPersist(redis, silent);
  await away();
  // As a client without a queue says it.
  let tries = 0;
  const write = () => {
    tries++;
    return redis.status === "ready" ? redis.set("key", "value") : Promise.reject(new Error("Connection is closed."));
  };
  const written = persist(write);
  failures = 0;
  await vi.waitFor(() => expect(failures).toBeGreaterThan(2), { timeout: 10_000 });
  server = await startRedisServer(await resolveRedisBinary(() => {}), { port: server.port });
  expect(await written).toBe("OK");
  expect(tries).toBe(2);
});

test("a signal ends the wait with its reason", async () => {
  const persist = createPersist(redis, silent);
  await away();
  const lost = new AbortController();
  const written = persist(() => Promise.reject(new Error("Connection is closed.")), lost.signal);
  const outcome = expect(written).rejects.toThrow("lost");
  failures = 0;
  await vi.waitFor(() => expect(failures).toBeGreaterThan(1), { timeout: 10_000 });
  lost.abort(new Error("lost"));
  await outcome;
});
