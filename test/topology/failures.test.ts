/**
 * What fails, and what users see of it. Where each row is tested; the rest is here.
 *
 *   a worker is killed              drain.test.ts (a thread's run, its stream), test/redis/takeover.test.ts, shipped.test.ts (how
 *                                   long); a stateless run: here
 *   a server is killed              here (streams); start.test.ts (requests)
 *   Redis restarts or fails over    test/http/away.test.ts (503, open streams stay open), outage.test.ts, test/forms/restart.test.ts,
 *                                   test/forms/failover.test.ts, test/cluster/failover.test.ts
 *   a PubSub connection drops       test/redis/follow.test.ts, test/cluster/runs.test.ts; half-open: test/redis/watchdog.test.ts
 *   a graph blocks the event loop   blocked.test.ts; one that ignores its signal: deaf.test.ts
 *   a slow reader                   test/http/streams.test.ts ("is sent away after ten seconds a megabyte")
 *   memory runs out in Redis        test/forms/memory.test.ts
 *   a deploy                        drain.test.ts, revisions.test.ts, test/release/previous.test.ts
 *
 *   steps executed twice            here (a step that outlasts its lease), drain.test.ts (after a hand-over)
 *   zombie runs                     here (each worker dies of it), test/redis/model (every run is in one place)
 *   cancels that don't              mainJob.test.ts (across servers); here (the worker is stopped); blocked.test.ts, deaf.test.ts
 *   streams that lose events        drain.test.ts (a server is stopped), here (killed), test/redis/follow.test.ts, resync.test.ts
 *   workers wedged but "healthy"    blocked.test.ts, deaf.test.ts, crash.test.ts
 *   deploys that kill runs          drain.test.ts, test/release/previous.test.ts
 */
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { executes, numbersOf, oneToTen, type StateOfSteps } from "../support/runs.js";
import { type Chunk, collectChunks } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));

// Several processes start in each test, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let all: Topology;
afterEach(() => all.stop());

test("a server that is killed: its streams go on through another one, without a gap", async () => {
  all = await topology({ config, servers: 2, workers: 1 });
  const seen: Chunk[] = [];
  const stream = (async () => {
    for await (const chunk of all.client.runs.stream(null, "steps", { input: { pace_ms: 200 } }))
      seen.push(chunk as Chunk);
  })();
  await vi.waitFor(() => expect(seen.length).toBeGreaterThan(2), { timeout: 10_000 });
  // Either may hold the stream; both go, and a third one is there.
  const third = await all.startServer();
  all.balancer.addTarget(third.name, third.port);
  await Promise.all(all.servers.slice(0, 2).map((server) => server.end("SIGKILL")));
  await stream;
  expect(seen.map(({ id }) => id)).toEqual(seen.map((_, at) => `1-${at}`));
  expect(seen.length).toBeGreaterThan(11);
});

test("a stateless run whose worker is killed starts again on another one, and its caller is answered", async () => {
  all = await topology({ config, workers: 1 });
  const [first] = all.workers;
  if (!first) throw new Error("there is no worker");
  const answer = all.client.runs.wait(null, "steps", { input: { pace_ms: 200 } });
  await executes(first, 1);
  await first.end("SIGKILL");
  await all.startWorker();
  expect(numbersOf((await answer) as unknown as StateOfSteps)).toEqual(oneToTen);
});

test("a step that outlasts its lease is executed once", async () => {
  all = await topology({ config, workers: 2, environment: { LEASE_MS: "900", HEARTBEAT_MS: "300" } });
  const { thread_id } = await all.client.threads.create();
  const stream = all.client.runs.stream(thread_id, "deaf", { input: { pace_ms: 4000 } });
  const chunks = await collectChunks(stream as AsyncIterable<Chunk>);
  expect(chunks.filter(({ event }) => event === "metadata").map(({ data }) => data)).toMatchObject([{ attempt: 1 }]);
  expect((await all.client.threads.getState<StateOfSteps>(thread_id)).values).toMatchObject({ steps: ["done"] });
});

test("a run whose every worker dies ends with an error that says so, and its thread takes the next", async () => {
  all = await topology({ config, workers: 0 });
  const { thread_id } = await all.client.threads.create();
  const { run_id } = await all.client.runs.create(thread_id, "deaf", {
    input: { pace_ms: 60_000 },
    streamResumable: true,
  });
  for (let death = 0; death < 3; death++) {
    const worker = await all.startWorker();
    await executes(worker, 1);
    await worker.end("SIGKILL");
  }
  const failed = async () => expect((await all.client.runs.get(thread_id, run_id)).status).toBe("error");
  await vi.waitFor(failed, { timeout: 10_000 });
  const told = await collectChunks(all.client.runs.joinStream(thread_id, run_id) as AsyncIterable<Chunk>);
  expect(JSON.stringify(told)).toContain("lost 3 times");
  await all.startWorker();
  const next = all.client.runs.wait(thread_id, "deaf", { input: { pace_ms: 1 } });
  expect(await next).toMatchObject({ steps: ["done"] });
});

test("a run whose worker stands still is cancelled all the same, and what the worker does later changes nothing", async () => {
  all = await topology({ config, workers: 1 });
  const [worker] = all.workers;
  if (!worker) throw new Error("there is no worker");
  const { thread_id } = await all.client.threads.create();
  const { run_id } = await all.client.runs.create(thread_id, "steps", { input: { pace_ms: 200 } });
  await executes(worker, 1);
  worker.process.kill("SIGSTOP");
  const begin = performance.now();
  await all.client.runs.cancel(thread_id, run_id, true);
  // A second (I7), and what a busy machine may add.
  expect(performance.now() - begin).toBeLessThan(1500);
  const before = await all.client.threads.getState<StateOfSteps>(thread_id);
  worker.process.kill("SIGCONT");
  await executes(worker, 0);
  expect((await all.client.threads.getState<StateOfSteps>(thread_id)).checkpoint).toEqual(before.checkpoint);
  expect((await all.client.runs.get(thread_id, run_id)).status).toBe("interrupted");
});
