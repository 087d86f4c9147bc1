/** Many clients of a process: what they cost it, and that none of them costs another. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { RunEvent } from "../../app/runs/types.js";
import { type Core, collect, newRun, startCore, success } from "../support/core.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
beforeEach(async () => {
  await core.admin.flushall();
});
afterAll(() => core.stop());

const FOLLOWERS = 200;
const numbered = (first: number, count: number, bytes = 10) =>
  Array.from({ length: count }, (_, at) => ({ event: "custom", data: `"${String(first + at).padEnd(bytes, "x")}"` }));
const idsTo = (last: number) => Array.from({ length: last + 1 }, (_, at) => `1-${at}`);

async function connections(): Promise<string[]> {
  const list = String(await core.admin.call("CLIENT", "LIST"));
  return [...list.matchAll(/ name=(\S+)/g)].map(([, name = ""]) => name).sort();
}

test("two hundred followers, of as many runs and of one, share the process's one subscriber", async () => {
  const before = await connections();
  const one = newRun();
  const runs = Array.from({ length: FOLLOWERS / 2 }, () => newRun());
  const followed = [...runs, ...runs.map(() => one)];
  const follows = await Promise.all(followed.map((run) => core.runs.follow(run.threadId, run.runId, "new")));
  expect(await connections()).toEqual(before);
  expect(before.filter((name) => name.includes("subscriber"))).toHaveLength(1);
  const all = Promise.all(follows.map(collect));
  for (const run of [one, ...runs]) {
    await core.runs.enqueue(run);
    await core.attempts.finish(await core.claim(run.threadId), success, 1, numbered(1, 2));
  }
  for (const events of await all) expect(events.map(({ id }) => id)).toEqual(idsTo(3));
  await vi.waitFor(async () => expect(await core.admin.call("PUBSUB", "SHARDCHANNELS")).toEqual([]));
});

test("who does not read keeps no other from reading, and the process holds a bounded part of what waits", async () => {
  const run = newRun();
  const [still, prompt] = await Promise.all([
    core.runs.follow(run.threadId, run.runId, "new"),
    core.runs.follow(run.threadId, run.runId, "new"),
  ]);
  const seen: RunEvent[] = [];
  const reading = (async () => {
    for await (const batch of prompt) seen.push(...batch);
  })();
  await core.runs.enqueue(run);
  const claimed = await core.claim(run.threadId);
  for (let first = 1; first < 1_000; first += 10) {
    await core.attempts.append(claimed, first, numbered(first, 10, 5_000));
    await vi.waitFor(() => expect(seen.at(-1)?.id).toBe(`1-${first + 9}`), { interval: 5, timeout: 1_000 });
  }
  await core.attempts.finish(claimed, success, 1_001, []);
  await reading;

  const pages: number[] = [];
  const late: RunEvent[] = [];
  for await (const batch of still) {
    pages.push(batch.reduce((sum, { data }) => sum + data.length, 0));
    late.push(...batch);
  }
  expect(late).toEqual(seen);
  expect(Math.max(...pages)).toBeLessThan(1.1 * 1024 * 1024);
});
