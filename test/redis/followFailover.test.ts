/** A client that follows a run through a failover that loses what the replica had not yet got. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connect, type Redis } from "../../app/redis/connect.js";
import type { RunEvent } from "../../app/runs/types.js";
import { asApp } from "../support/acl.js";
import { coreOn, newRun, silent, success } from "../support/core.js";
import { type FailoverPair, startFailoverPair } from "../support/failover.js";

let pair: FailoverPair;
let connections: Redis[];
let core: ReturnType<typeof coreOn>;
beforeEach(async () => {
  pair = await startFailoverPair();
  const login = new URL(await asApp(pair.primary.server.url));
  login.port = String(pair.proxy.port);
  const [commands, subscriber] = (["worker", "subscriber"] as const).map((use) =>
    connect({ url: login.href }, use, silent),
  );
  if (!commands || !subscriber) expect.fail("no connections");
  connections = [commands, subscriber];
  core = coreOn(commands, subscriber);
});
afterEach(async () => {
  core.runs.close();
  for (const connection of connections) connection.disconnect();
  await pair.stop();
});

const numbered = (first: number, count: number) =>
  Array.from({ length: count }, (_, at) => ({ event: "custom", data: String(first + at) }));

/** A run whose follower has seen what it wrote: all of it the replica has but the last events, or the claim as well. */
async function followed(lost: "events" | "claim") {
  const run = newRun();
  const state = async () => '{"from":"the checkpoints"}';
  const follow = await core.runs.follow(run.threadId, run.runId, "new", state);
  const seen: RunEvent[] = [];
  const all = (async () => {
    for await (const batch of follow) seen.push(...batch);
  })();
  await core.runs.enqueue(run);
  const replicated = async (last: string) => {
    const key = core.keys.of(run.threadId, "run", run.runId);
    await vi.waitFor(async () => expect(await pair.replica?.admin.hget(key, "last")).toBe(last));
    pair.stallReplica();
  };
  if (lost === "claim") await replicated("0-1");
  const claimed = await core.claim(run.threadId);
  await core.attempts.append(claimed, 1, numbered(1, 4));
  if (lost === "events") await replicated("1-4");
  await core.attempts.append(claimed, 5, numbered(5, 5));
  await vi.waitFor(() => expect(seen.at(-1)?.id).toBe("1-9"));
  return { run, claimed, seen, all };
}

/** The first write after a failover may meet the connection that it broke; it is sent again, as workers do. */
const persistently = <T>(write: () => Promise<T>): Promise<T> => vi.waitFor(write, { timeout: 10_000, interval: 50 });

test("which lost events: the client is told the state, then every event that comes", async () => {
  const { run, claimed, seen, all } = await followed("events");
  await pair.failover();
  await vi.waitFor(() => expect(seen).toHaveLength(12), { timeout: 10_000 });
  expect(seen.slice(10)).toMatchObject([
    { event: "metadata", id: "", data: JSON.stringify({ run_id: run.runId, attempt: 1 }) },
    { event: "values", id: "1-4", data: '{"from":"the checkpoints"}' },
  ]);
  // A worker that knew that they were stored goes on behind them: that is a gap of its own.
  await persistently(() => core.attempts.append(claimed, 10, numbered(10, 1)));
  await core.attempts.finish(claimed, success, 11, []);
  await all;
  expect(seen.at(-1)).toMatchObject({ id: "1-11", event: "end" });
});

test("which lost the claim too: the client is told of the other owner, whose ids are the same", async () => {
  const { run, claimed, seen, all } = await followed("claim");
  await pair.failover();
  const again = await persistently(() => core.claim(run.threadId));
  expect([again.attempt, again.owner === claimed.owner]).toEqual([1, false]);
  expect(await core.attempts.append(claimed, 10, numbered(10, 1))).toBe("lost");
  await persistently(() => core.attempts.append(again, 1, numbered(1, 20)));
  await vi.waitFor(() => expect(seen.some(({ resync }) => resync)).toBe(true), { timeout: 10_000 });
  await core.attempts.finish(again, success, 21, []);
  await all;
  const told = seen.findLastIndex(({ resync }) => resync);
  const from = Number(seen[told]?.id.split("-")[1]);
  const rest = seen.slice(told + 1).map(({ id }) => id);
  expect(rest).toEqual(Array.from({ length: 21 - from }, (_, at) => `1-${from + at + 1}`));
  expect(seen.at(-1)).toMatchObject({ id: "1-21", event: "end" });
});
