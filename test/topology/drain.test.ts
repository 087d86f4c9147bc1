/** Deploys and losses of instances, as clients notice them: not at all. */
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { doersOf, healthOf, numbersOf, oneToTen, type StateOfSteps } from "../support/runs.js";
import { type Topology, type TopologyOptions, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));

// Several processes start in each test, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let all: Topology;
const start = async (options: TopologyOptions) => {
  all = await topology({ config, ...options });
};
afterEach(() => all.stop());

/** The worker that executes runs now, and the others. */
async function busyWorker() {
  return await vi.waitFor(
    async () => {
      for (const worker of all.workers) if (((await healthOf(worker)).running ?? 0) > 0) return worker;
      throw new Error("no worker has a run");
    },
    { timeout: 10_000 },
  );
}

test("a worker that is told to stop moves its run at the next step, and no step is done twice", async () => {
  await start({ workers: 2 });
  const { thread_id } = await all.client.threads.create();
  const answer = all.client.runs.wait(thread_id, "steps", { input: { pace_ms: 200 } });
  const stepped = async () => {
    const { values } = await all.client.threads.getState<StateOfSteps>(thread_id);
    expect(values.steps?.length).toBeGreaterThan(1);
  };
  await vi.waitFor(stepped, { timeout: 10_000 });
  expect(await (await busyWorker()).end("SIGTERM")).toBe(0);
  const state = (await answer) as unknown as StateOfSteps;
  expect(numbersOf(state)).toEqual(oneToTen);
  expect(doersOf(state).size).toBe(2);
  const [run] = await all.client.runs.list(thread_id);
  expect(run?.status).toBe("success");
});

test("a stateless run ends on the worker that drains, if it can within the time", async () => {
  await start({ workers: 1 });
  const answer = all.client.runs.wait(null, "steps", { input: { pace_ms: 100 } });
  const worker = await busyWorker();
  expect(await worker.end("SIGTERM")).toBe(0);
  expect(numbersOf((await answer) as unknown as StateOfSteps)).toEqual(oneToTen);
});

test("what does not end within the drain is handed back, and another worker takes it at once", async () => {
  await start({ workers: 1, environment: { DRAIN_SECONDS: "1" } });
  const answer = all.client.runs.wait(null, "deaf", { input: { pace_ms: 2500 } });
  const first = await busyWorker();
  await all.startWorker();
  expect(await first.end("SIGTERM")).toBe(0);
  expect(await answer).toMatchObject({ steps: ["done"] });
});

test("a killed worker's run goes on from its checkpoint on another one, and its stream announces the attempt", async () => {
  await start({ workers: 2 });
  const { thread_id } = await all.client.threads.create();
  const seen: { id?: string | undefined; event: string; data: unknown }[] = [];
  const stream = (async () => {
    for await (const chunk of all.client.runs.stream(thread_id, "steps", { input: { pace_ms: 200 } }))
      seen.push(chunk as (typeof seen)[number]);
  })();
  await vi.waitFor(() => expect(seen.length).toBeGreaterThan(4), { timeout: 10_000 });
  await (await busyWorker()).end("SIGKILL");
  await stream;
  const { values } = await all.client.threads.getState<StateOfSteps>(thread_id);
  expect(numbersOf(values)).toEqual(oneToTen);
  expect(seen.filter(({ event }) => event === "metadata").map(({ data }) => data)).toMatchObject([
    { attempt: 1 },
    { attempt: 2 },
  ]);
  const ids = seen.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a server that is told to stop cuts its streams, and the SDK goes on through another one without a gap", async () => {
  await start({ servers: 2 });
  const ids: (string | undefined)[] = [];
  const stream = (async () => {
    for await (const chunk of all.client.runs.stream(null, "steps", { input: { pace_ms: 200 } }))
      ids.push((chunk as { id?: string }).id);
  })();
  await vi.waitFor(() => expect(ids.length).toBeGreaterThan(2), { timeout: 10_000 });
  // The load balancer takes turns, so either may hold the stream; both go, and a third one is there.
  const third = await all.startServer();
  all.balancer.addTarget(third.name, third.port);
  for (const server of all.servers.slice(0, 2)) expect(await server.end("SIGTERM")).toBe(0);
  await stream;
  expect(ids).toEqual(ids.map((_, at) => `1-${at}`));
  expect(ids.length).toBeGreaterThan(11);
});

test("a worker whose health port is taken ends with a sentence, and takes no run", async () => {
  await start({ workers: 1 });
  const taken = String(all.workers[0]?.port);
  await expect(all.startWorker({ HEALTH_PORT: taken })).rejects.toThrow(`port ${taken} is taken; choose another PORT`);
});
