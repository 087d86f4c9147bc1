/**
 * What an operation costs in round trips to Redis, all roles together: counted by MONITOR, which shows each command that
 * a client sent; what a script calls inside Redis is no round trip. Beats and sweeps are far away here, and an idle
 * worker's pop, which times out every two seconds whatever happens, is left out.
 */
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Topology, topology } from "../support/topology.js";

let all: Topology;
let commands: string[] = [];
let monitor: Redis;

beforeAll(async () => {
  const rare = { LEASE_MS: "600000", HEARTBEAT_MS: "290000", SWEEP_MS: "300000" };
  all = await topology({ servers: 1, workers: 1, environment: rare });
  monitor = await new Redis(all.redis.url).monitor();
  monitor.on("monitor", (_time: string, args: string[], source: string) => {
    // What a process asks on a clock of its own, of memory, replicas and its connections, belongs to no operation.
    if (source !== "lua" && !["info", "role"].includes(args[0]?.toLowerCase() ?? ""))
      commands.push(args.join(" ").slice(0, 200));
  });
  // Connections and scripts are there from now on.
  await all.client.runs.wait(null, "echo", { input: hello });
  await onThread();
}, 60_000);
afterAll(async () => {
  monitor.disconnect();
  await all.stop();
});

const hello = { messages: [{ role: "user", content: "hello" }] };

async function onThread(): Promise<string> {
  const { thread_id } = await all.client.threads.create();
  await all.client.runs.wait(thread_id, "echo", { input: hello });
  return thread_id;
}

/** What `operation` sends, and what it sets off. */
async function roundTrips(operation: () => Promise<unknown>): Promise<string[]> {
  await settled();
  commands = [];
  await operation();
  await settled();
  return withoutHealing(commands);
}

/** An idle pop's time-out: claims, one a partition, that ask for no run (`… <limit 0> <owner> …`), and the next pop. */
function withoutHealing(sent: string[]): string[] {
  let healing = false;
  return sent.filter((command) => {
    if (/^evalsha \S+ 1 \S+:leases 0 /.test(command)) {
      healing = true;
      return false;
    }
    const next = healing && command.startsWith("blpop");
    if (next) healing = false;
    return !next;
  });
}

/** Nothing was sent for a while: what an operation set off has ended too. */
async function settled(): Promise<void> {
  let seen = -1;
  await expect
    .poll(
      () => {
        const before = seen;
        seen = withoutHealing(commands).length;
        return before === seen;
      },
      { interval: 100 },
    )
    .toBe(true);
}

const named = (sent: string[], word: string) => sent.filter((command) => command.startsWith(word)).length;

test("a trivial stateless run: at most ten", async () => {
  const sent = await roundTrips(() => all.client.runs.wait(null, "echo", { input: hello }));
  expect(sent.length).toBeLessThanOrEqual(10);
  // Subscribed and unsubscribed once, woken by one pop.
  expect([named(sent, "ssubscribe"), named(sent, "sunsubscribe"), named(sent, "blpop")]).toEqual([1, 1, 1]);
});

test("a token: at most one", async () => {
  const tokens = async () => {
    const stream = all.client.runs.stream(null, "writer", { input: hello, streamMode: "messages-tuple" });
    let count = 0;
    for await (const { event } of stream) if (event === "messages") count++;
    return count;
  };
  let count = 0;
  const sent = await roundTrips(async () => {
    count = await tokens();
  });
  expect(count).toBeGreaterThan(150);
  expect(sent.length).toBeLessThanOrEqual(count + 10);
});

test("a checkpoint: one to store it, one for the writes of its tasks", async () => {
  const stateless = await roundTrips(() => all.client.runs.wait(null, "echo", { input: hello }));
  const { thread_id } = await all.client.threads.create();
  const stateful = await roundTrips(() => all.client.runs.wait(thread_id, "echo", { input: hello }));
  const history = await all.client.threads.getHistory(thread_id, { limit: 100 });
  const runs = (await all.client.runs.list(thread_id, { limit: 100 })).length;
  const checkpoints = history.length / runs;
  // Beside them: the thread is looked up, its newest checkpoint is read at the start, and its state at the end.
  expect(stateful.length).toBeLessThanOrEqual(stateless.length + 2 * checkpoints + 3);
});

test("a join of a run that has ended: at most four", async () => {
  const thread_id = await onThread();
  const [run] = await all.client.runs.list(thread_id);
  const sent = await roundTrips(() => all.client.runs.join(thread_id, run?.run_id ?? ""));
  expect(sent.length).toBeLessThanOrEqual(4);
});

test("a cancel of a running run, until it is terminal: at most six", async () => {
  const cancelOne = async () => {
    const { thread_id } = await all.client.threads.create();
    const run = await all.client.runs.create(thread_id, "writer", { input: hello, streamMode: "values" });
    await vi.waitFor(async () => {
      expect(await all.client.runs.get(thread_id, run.run_id)).toMatchObject({ status: "running" });
    });
    return await roundTrips(() => all.client.runs.cancel(thread_id, run.run_id, true));
  };
  // The first one also brings the script.
  await cancelOne();
  expect((await cancelOne()).length).toBeLessThanOrEqual(6);
});
