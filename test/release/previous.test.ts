/** A deploy in its middle: the previous release and this one serve the same Redis, and runs cross both. */
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { numbersOf, oneToTen, type StateOfSteps } from "../support/runs.js";
import { type Chunk, collectChunks } from "../support/sdk.js";
import { type Instance, type Topology, topology } from "../support/topology.js";
import { buildRelease, type PreviousBuild } from "./build.js";

/**
 * The release that this one is deployed over. When a release is made, put its commit here: `git rev-parse --short` of
 * the last one that was released, never of what is about to be.
 */
const PREVIOUS = "c89c9b2";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));

// Several processes start in each test, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let previous: PreviousBuild;
let all: Topology;
let server: Record<Release, Instance>;
beforeAll(async () => {
  previous = await buildRelease(PREVIOUS);
  all = await topology({ config, servers: 0, workers: 0 });
  server = {
    previous: await all.startServer({}, buildOf("previous")),
    this: await all.startServer(),
  };
}, 120_000);
afterEach(async () => {
  await Promise.all(all.workers.map((worker) => worker.end("SIGKILL")));
});
afterAll(async () => {
  await all.stop();
  await previous.remove();
});

type Release = "previous" | "this";
const buildOf = (release: Release) => (release === "previous" ? previous.folder : undefined);
const other = (release: Release): Release => (release === "previous" ? "this" : "previous");
const startWorker = (release: Release) => all.startWorker({}, buildOf(release));

const doers = ({ steps }: StateOfSteps) => [...new Set(steps.map((step) => Number(step.split(" by ")[1])))];
const ids = (chunks: Chunk[]) => chunks.map(({ id }) => id);

/** A run that has done two of its ten steps, started through one server. */
async function runningThrough(release: Release, paceMs = 200) {
  const { client } = server[release];
  const { thread_id } = await client.threads.create();
  const { run_id } = await client.runs.create(thread_id, "steps", {
    input: { pace_ms: paceMs },
    streamResumable: true,
  });
  await vi.waitFor(
    async () => {
      const { values } = await client.threads.getState<StateOfSteps>(thread_id);
      expect(values.steps?.length).toBeGreaterThan(1);
    },
    { timeout: 10_000 },
  );
  return { thread_id, run_id };
}

/** Both servers tell of a run that ended well, whoever executed it. */
async function endedWell(threadId: string, runId: string, workers: Instance[]) {
  for (const { client } of Object.values(server)) {
    expect((await client.runs.join(threadId, runId)) as unknown as StateOfSteps).toMatchObject({
      steps: expect.anything(),
    });
    expect((await client.runs.get(threadId, runId)).status).toBe("success");
    expect((await client.threads.get(threadId)).status).toBe("idle");
    const { values } = await client.threads.getState<StateOfSteps>(threadId);
    expect(numbersOf(values)).toEqual(oneToTen);
    expect(doers(values)).toEqual(workers.map((worker) => worker.process.pid));
  }
}

describe.each<Release>(["previous", "this"])("a worker of %s release", (release) => {
  test("executes what the other release's server accepted, and both servers stream it whole", async () => {
    const worker = await startWorker(release);
    const { thread_id } = await server[other(release)].client.threads.create();
    const options = { input: { pace_ms: 50 }, streamResumable: true };
    const { run_id } = await server[other(release)].client.runs.create(thread_id, "steps", options);
    const follow = ({ client }: Instance) =>
      collectChunks(client.runs.joinStream(thread_id, run_id) as AsyncIterable<Chunk>);
    const [there, here] = await Promise.all([follow(server.previous), follow(server.this)]);
    expect(here.length).toBeGreaterThan(11);
    expect(ids(here)).toEqual(here.map((_, at) => `1-${at}`));
    // What comes with its subscription the previous release may tell twice.
    expect([...new Map(there.map((chunk) => [chunk.id, chunk])).values()]).toEqual(here);
    await endedWell(thread_id, run_id, [worker]);
  });

  test("is killed: the other release goes on from its checkpoint, and a stream goes on too", async () => {
    const first = await startWorker(release);
    const { thread_id, run_id } = await runningThrough(release);
    const stream = collectChunks(
      server[other(release)].client.runs.joinStream(thread_id, run_id) as AsyncIterable<Chunk>,
    );
    await first.end("SIGKILL");
    const second = await startWorker(other(release));
    const attempts = (await stream).filter(({ event }) => event === "metadata").map(({ data }) => data);
    expect(attempts.at(-1)).toMatchObject({ attempt: 2 });
    await endedWell(thread_id, run_id, [first, second]);
  });

  test("is told to stop: the other release goes on at the next step", async () => {
    const first = await startWorker(release);
    const { thread_id, run_id } = await runningThrough(release);
    expect(await first.end("SIGTERM")).toBe(0);
    const second = await startWorker(other(release));
    await endedWell(thread_id, run_id, [first, second]);
  });

  test("stops a run that the other release's server cancels, and the thread goes on", async () => {
    await startWorker(release);
    const { thread_id, run_id } = await runningThrough(release);
    await server[other(release)].client.runs.cancel(thread_id, run_id, true);
    for (const { client } of Object.values(server))
      expect((await client.runs.get(thread_id, run_id)).status).toBe("interrupted");
    const next = server[release].client.runs.wait(thread_id, "deaf", { input: { pace_ms: 1 } });
    expect(await next).toMatchObject({ steps: expect.arrayContaining(["done"]) });
  });
});

test("runs of one thread wait in one line, whichever release accepted them", async () => {
  await startWorker("previous");
  const { thread_id, run_id } = await runningThrough("this", 100);
  const runs = [run_id];
  for (const release of ["previous", "this", "previous"] as const) {
    const options = { input: { pace_ms: 1 } };
    runs.push((await server[release].client.runs.create(thread_id, "deaf", options)).run_id);
  }
  await startWorker("this");
  for (const run of runs) await server.this.client.runs.join(thread_id, run);
  const records = await server.previous.client.runs.list(thread_id);
  expect(records.map(({ run_id: id, status }) => [id, status])).toEqual(runs.reverse().map((id) => [id, "success"]));
  const ends = records.map(({ updated_at }) => updated_at);
  expect(ends).toEqual([...ends].sort().reverse());
});

test("a run that a worker of the previous release executes is rolled back through this one", async () => {
  await startWorker("previous");
  const { thread_id, run_id } = await runningThrough("previous");
  await server.this.client.runs.cancel(thread_id, run_id, true, "rollback");
  for (const { client } of Object.values(server)) {
    await expect(client.runs.get(thread_id, run_id)).rejects.toThrow("404");
    expect((await client.threads.getState<StateOfSteps>(thread_id)).values.steps ?? []).toEqual([]);
  }
  const next = server.previous.client.runs.wait(thread_id, "deaf", { input: { pace_ms: 1 } });
  expect(await next).toMatchObject({ steps: ["done"] });
});

test("threads that the previous release made and changed are found as they are, once a server of this one has started", async () => {
  const { client } = server.previous;
  const made = await Promise.all([1, 2].map(() => client.threads.create({ metadata: { n: 1 } })));
  const ids = made.map(({ thread_id }) => thread_id).sort();
  const found = async ({ client }: Instance, metadata: Record<string, unknown>) =>
    (await client.threads.search({ metadata })).map(({ thread_id }) => thread_id).sort();
  const first = await all.startServer();
  await vi.waitFor(async () => expect(await found(first, { n: 1 })).toEqual(ids), 10_000);

  await startWorker("previous");
  await client.runs.wait(ids[0] ?? "", "deaf", { input: { pace_ms: 1 } });
  const next = await all.startServer();
  await vi.waitFor(async () => expect(await found(next, { n: 1, graph_id: "deaf" })).toEqual([ids[0]]), 10_000);
  expect(await found(next, { n: 1 })).toEqual(ids);
});

test("a thread that was copied through this release goes on through the previous one, as if it had not been", async () => {
  await startWorker("this");
  const { client } = server.this;
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "steps", { input: { pace_ms: 1 } });
  const copy = await client.threads.copy(thread_id);
  const stepsOf = async (release: Release, id: string) =>
    (await server[release].client.threads.getState<StateOfSteps>(id)).values.steps;
  expect(await stepsOf("previous", thread_id)).toEqual(await stepsOf("this", copy.thread_id));
  await all.workers.at(-1)?.end("SIGKILL");
  await startWorker("previous");
  await server.previous.client.runs.wait(thread_id, "deaf", { input: { pace_ms: 1 } });
  for (const release of ["previous", "this"] as const) expect(await stepsOf(release, thread_id)).toContain("done");
});
