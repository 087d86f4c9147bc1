/**
 * What searches cost among 100,000 threads, what the index takes of memory, and what it adds to a run.
 *   node --import tsx test/bench/threadSearch.ts [threads]
 */
import { v4 as uuid } from "uuid";
import type { ThreadFilter, ThreadPage } from "../../app/data/threads/filter.js";
import { ThreadSearch } from "../../app/data/threads/search.js";
import { connect, type Redis, ready } from "../../app/redis/connect.js";
import { Keys } from "../../app/redis/partitions.js";
import { Script } from "../../app/redis/scripts.js";
import { scripts } from "../../app/runs/scripts.js";
import { createLog } from "../../app/telemetry/log.js";
import { manyThreads } from "../support/manyThreads.js";
import { startRedis } from "../support/redis.js";

const COUNT = Number(process.argv[2] ?? 100_000);
const TIMES = 30;
const RUNS = 2_000;

const server = await startRedis();
const redis = connect({ url: server.url }, "request", createLog("silent", { instance: "bench", role: "bench" }));
await ready(redis, 5_000);
const keys = new Keys("sw");
const search = new ThreadSearch(redis, keys);
const say = (line: string) => process.stdout.write(`${line}\n`);

const began = performance.now();
await manyThreads(redis, keys, COUNT);
say(`${COUNT} threads in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
await memory();
await searches();
await costOfRuns();
redis.disconnect();
await server.stop();

async function memory(): Promise<void> {
  const sizes = new Map<string, number>();
  let cursor = "0";
  do {
    const [next, names] = await (redis as Exclude<Redis, { nodes: unknown }>).scan(cursor, "COUNT", 1_000);
    cursor = next;
    const bytes = await Promise.all(names.map((name) => redis.memory("USAGE", name, "SAMPLES", 0)));
    for (const [at, name] of names.entries()) {
      const kind = name.replace(/^[^}]*}:/, "").replace(/(thread|with|status):.*/, "$1");
      sizes.set(kind, (sizes.get(kind) ?? 0) + Number(bytes[at]));
    }
  } while (cursor !== "0");
  say("\nbytes a thread");
  for (const [kind, bytes] of [...sizes].sort((a, b) => b[1] - a[1])) row(kind, (bytes / COUNT).toFixed(0));
}

async function searches(): Promise<void> {
  const filters: Record<string, ThreadFilter> = {
    all: {},
    "status idle (half)": { status: "idle" },
    "a user (1 of 300)": { metadata: { user: "u7" } },
    "a team (a third)": { metadata: { team: "red" } },
    "a user, a status": { status: "idle", metadata: { user: "u7" } },
    "a team, a status": { status: "idle", metadata: { team: "red" } },
  };
  say("");
  row("search", "order", "offset", "found", "median ms", "Redis ms", "calls inside");
  for (const [name, filter] of Object.entries(filters))
    for (const [sortBy, offset] of [
      ["updated_at", 0],
      ["created_at", 0],
      ["thread_id", 0],
      ["status", 0],
      ["updated_at", 10_000],
    ] as const)
      await measure(name, filter, { sortBy, sortOrder: "desc", offset, limit: 10 });
  for (const [name, filter] of Object.entries(filters)) await measure(name, filter);
}

/** @param page none is a count */
async function measure(name: string, filter: ThreadFilter, page?: ThreadPage): Promise<void> {
  const times: number[] = [];
  let total: number | undefined;
  await stats();
  for (let time = 0; time < TIMES; time++) {
    const sent = performance.now();
    total = page ? (await search.find(filter, page, { withState: true })).total : await search.count(filter);
    times.push(performance.now() - sent);
  }
  const { milliseconds, inside } = await stats();
  const place = page ? [page.sortBy, String(page.offset)] : ["(count)", ""];
  const median = times.sort((a, b) => a - b)[TIMES >> 1] ?? 0;
  row(
    name,
    ...place,
    String(total),
    median.toFixed(1),
    (milliseconds / TIMES).toFixed(2),
    String(Math.round(inside / TIMES)),
  );
}

/** A run of a thread, with the scripts as they are and with an index that nobody keeps. */
async function costOfRuns(): Promise<void> {
  say("");
  row("a run on a thread", "µs of Redis", "commands inside");
  for (const [name, shape] of [
    ["with the index", (script: Script) => script],
    ["without it", withoutIndex],
  ] as const) {
    const [enqueue, claim, finish] = [scripts.enqueue, scripts.claim, scripts.finish].map(shape);
    if (!enqueue || !claim || !finish) throw new Error("no script");
    const threads = Array.from({ length: RUNS }, () => uuid());
    const metadata = { user: "u", team: "red", n: 1, all: true };
    for (const id of threads)
      await scripts.createThread.run(
        redis,
        keys.of(id, "thread", id),
        id,
        JSON.stringify(metadata),
        "",
        "delete",
        uuid(),
      );
    await stats();
    for (const thread of threads) {
      const run = uuid();
      const where = [run, thread, "bench", "assistant", "thread", "enqueue", "reject"];
      await enqueue.run(redis, keys.of(thread, "run", run), ...where, 0, 0, "{}", "{}", "hash", "{}", 700);
    }
    report(`enqueue, ${name}`, await stats());
    const owners = new Map<string, string[]>();
    for (let partition = 0; partition < 16; partition++) {
      const leases = keys.in(partition, "leases");
      const answer = (await claim.run(redis, leases, RUNS, uuid(), 60_000, "", "bench")) as [number, ...string[][]];
      for (const [run = "", owner = "", thread = ""] of answer.slice(1) as string[][]) owners.set(run, [owner, thread]);
    }
    report(`claim, ${name}`, await stats());
    for (const [run, [owner = "", thread = ""]] of owners) {
      const outcome = ["success", "idle", "{}", '{"messages":[]}', "{}", ""];
      await finish.run(redis, keys.of(thread, "run", run), run, thread, owner, 1, 1, ...outcome);
    }
    report(`finish, ${name}`, await stats());
  }
}

function withoutIndex({ name, source }: Script): Script {
  return new Script(
    name,
    source.replace(/local function thread_changed[\s\S]*?\nend\n/, "local function thread_changed() end\n"),
  );
}

function report(name: string, { milliseconds, inside }: { milliseconds: number; inside: number }): void {
  row(name, ((milliseconds * 1_000) / RUNS).toFixed(1), (inside / RUNS).toFixed(1));
}

/** Of Redis since it was asked last: how long it was busy, and the commands within scripts. */
async function stats(): Promise<{ milliseconds: number; inside: number }> {
  const info = await redis.info("commandstats");
  await redis.config("RESETSTAT");
  let [microseconds, inside] = [0, 0];
  for (const [, name = "", calls, usec] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)) {
    // A script's time holds that of its commands.
    if (["evalsha", "eval", "hmget"].includes(name)) microseconds += Number(usec);
    if (!["evalsha", "eval", "info", "config|resetstat"].includes(name)) inside += Number(calls);
  }
  return { milliseconds: microseconds / 1_000, inside };
}

function row(first: string, ...others: string[]): void {
  say([first.padEnd(28), ...others.map((text) => text.padStart(14))].join(""));
}
