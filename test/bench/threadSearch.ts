/**
 * What searches cost among 100,000 threads, what the index takes of memory, and what it adds to a run.
 *   node --import tsx test/bench/threadSearch.ts [threads]
 */
import { v4 as uuid } from "uuid";
import { Removals } from "../../app/data/removal.js";
import type { ThreadFilter, ThreadPage } from "../../app/data/threads/filter.js";
import { ThreadSearch } from "../../app/data/threads/search.js";
import { connect, type Redis, ready } from "../../app/redis/connect.js";
import { ALL_PARTITIONS, Keys } from "../../app/redis/partitions.js";
import { Script } from "../../app/redis/scripts.js";
import { Attempts } from "../../app/runs/attempts.js";
import { Runs } from "../../app/runs/runs.js";
import { scripts } from "../../app/runs/scripts.js";
import type { ClaimedRun, NewRun } from "../../app/runs/types.js";
import { createLog } from "../../app/telemetry/log.js";
import { manyThreads } from "../support/manyThreads.js";
import { startRedis } from "../support/redis.js";

const COUNT = Number(process.argv[2] ?? 100_000);
const TIMES = 30;
const RUNS = 200;
const ROUNDS = 10;

const server = await startRedis();
const log = createLog("silent", { instance: "bench", role: "bench" });
const redis = connect({ url: server.url }, "request", log);
await ready(redis, 5_000);
const keys = new Keys("sw");
const search = new ThreadSearch(redis, keys);
const runs = new Runs({
  commands: redis,
  subscriber: redis,
  keys,
  removals: new Removals(redis, keys),
  outageSeconds: 90,
  log,
});
const attempts = new Attempts(redis, keys);
const say = (line: string) => process.stdout.write(`${line}\n`);

const began = performance.now();
await manyThreads(redis, keys, COUNT);
say(`${COUNT} threads in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
await memory();
await searches();
await costOfRuns();
runs.close();
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

/**
 * Runs on threads that had one before, with the scripts as they are and with an index that nobody keeps. In rounds by
 * turns, of which the fastest counts: something else may be busy on the machine.
 */
async function costOfRuns(): Promise<void> {
  const least = new Map<string, { microseconds: number; inside: number }>();
  const note = async (name: string) => {
    const { milliseconds, inside } = await stats();
    const microseconds = Math.min(
      (milliseconds * 1_000) / RUNS,
      least.get(name)?.microseconds ?? Number.POSITIVE_INFINITY,
    );
    least.set(name, { microseconds, inside: inside / RUNS });
  };
  const threads = Array.from({ length: RUNS }, () => uuid());
  const metadata = JSON.stringify({ user: "u", team: "red", n: 1, all: true });
  for (const id of threads)
    await scripts.createThread.run(redis, keys.of(id, "thread", id), id, metadata, "", "delete", uuid());
  for (let round = 0; round <= ROUNDS; round++)
    for (const [name, shape] of [
      ["with the index", (script: Script) => script],
      ["without it", withoutIndex],
    ] as const) {
      if (round === 0) await oneRunEach(threads, shape, async () => {});
      else await oneRunEach(threads, shape, async (step) => await note(`${step}, ${name}`));
    }
  say("");
  row("a run on a thread", "us of Redis", "calls inside");
  for (const [name, { microseconds, inside }] of [...least].sort())
    row(name, microseconds.toFixed(1), inside.toFixed(1));
}

async function oneRunEach(
  threads: string[],
  shape: (script: Script) => Script,
  after: (step: string) => Promise<void>,
): Promise<void> {
  const { enqueue, finish } = scripts;
  Object.assign(scripts, { enqueue: shape(enqueue), finish: shape(finish) });
  await stats();
  const request: Omit<NewRun, "threadId" | "runId"> = {
    ...{ idIsGiven: false, assistantId: "assistant", graphId: "bench", lifetime: "thread", strategy: "enqueue" },
    ...{ ifNotExists: "reject", afterMs: 0, metadata: {}, payload: { stream_mode: [] }, requestHash: "hash" },
  };
  for (const threadId of threads) await runs.enqueue({ ...request, threadId, runId: uuid() });
  await after("enqueue");
  const claimed: ClaimedRun[] = [];
  for (const partition of ALL_PARTITIONS)
    claimed.push(...(await attempts.claim(partition, ["bench"], RUNS, 60_000)).runs);
  await after("claim");
  const state = { values: '{"messages":[]}', interrupts: "{}" };
  for (const run of claimed)
    await attempts.finish(run, { status: "success", threadStatus: "idle", answer: "{}", state }, 1, []);
  await after("finish");
  Object.assign(scripts, { enqueue, finish });
}

function withoutIndex({ name, source }: Script): Script {
  const nothing = "local function thread_changed() end\n";
  return new Script(name, source.replace(/local function thread_changed[\s\S]*?\nend\n/, nothing));
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
