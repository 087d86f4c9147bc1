/** The main job: real graphs on three servers and two workers, through the load balancer, by the official SDK. */
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, type Chunk, collectChunks } from "../support/sdk.js";
import { type Topology, topology } from "../support/topology.js";

let all: Topology;
beforeAll(async () => {
  all = await topology({ servers: 3, workers: 2, environment: { RUNS_PER_WORKER: "50" } });
}, 120_000);
afterAll(() => all.stop());

const server = (number: 0 | 1 | 2) => {
  const instance = all.servers[number];
  if (!instance) throw new Error(`there is no server ${number}`);
  return instance.client;
};

test("requests are shared by all servers", async () => {
  const served = new Set<string | null>();
  for (let request = 0; request < 6; request++) served.add((await fetch(`${all.url}/info`)).headers.get("x-served-by"));
  expect([...served].sort()).toEqual(["server-1", "server-2", "server-3"]);
});

test("a stateless echo answers through the load balancer", async () => {
  const answer = await all.client.runs.wait(null, "echo", { input: ask("hello") });
  expect(JSON.stringify(answer)).toContain("hello");
});

test("a run is started through one server, followed through a second, cancelled through a third", async () => {
  const { thread_id } = await server(0).threads.create();
  const run = await server(0).runs.create(thread_id, "writer", { input: ask("slowly"), streamMode: "messages-tuple" });
  const followed = server(1).runs.joinStream(thread_id, run.run_id, { streamMode: "messages-tuple" });
  const seen: Chunk[] = [];
  for await (const chunk of followed) {
    seen.push(chunk as Chunk);
    if (seen.length === 5) await server(2).runs.cancel(thread_id, run.run_id, true);
  }
  expect(seen.filter(({ event }) => event === "messages").length).toBeGreaterThan(3);
  expect(seen.length).toBeLessThan(150);
  expect(await server(0).runs.get(thread_id, run.run_id)).toMatchObject({ status: "interrupted" });
  expect(await server(1).threads.get(thread_id)).not.toMatchObject({ status: "busy" });
});

test("an interrupt is resumed through another server", async () => {
  const { thread_id } = await server(0).threads.create();
  await server(0).runs.wait(thread_id, "approval", { input: ask("send the letter") });
  const waiting = await server(1).threads.get(thread_id);
  expect(waiting.status).toBe("interrupted");
  const [interrupts] = Object.values(waiting.interrupts);
  expect(interrupts?.[0]?.value).toMatchObject({ action: expect.anything() });

  await server(2).runs.wait(thread_id, "approval", { command: { resume: { type: "accept" } } });
  const done = await server(0).threads.get(thread_id);
  expect(done).toMatchObject({ status: "idle", interrupts: {} });
  const state = await server(1).threads.getState(thread_id);
  expect(state.next).toEqual([]);
  const history = await server(2).threads.getHistory(thread_id);
  expect(history.length).toBeGreaterThan(2);
});

test("a hundred writers at once: no event lost, repeated or out of order", { timeout: 120_000 }, async () => {
  const health = () =>
    Promise.all(all.workers.map(async ({ url }) => (await fetch(`${url}/ok`)).json() as Promise<{ running: number }>));
  let mostRunning = 0;
  const watch = setInterval(async () => {
    const running = (await health()).reduce((sum, { running }) => sum + running, 0);
    mostRunning = Math.max(mostRunning, running);
  }, 50);
  try {
    const streams = Array.from({ length: 100 }, () =>
      collectChunks(
        all.client.runs.stream(null, "writer", {
          input: ask("at once"),
          streamMode: "messages-tuple",
        }) as AsyncIterable<Chunk>,
      ),
    );
    const results = await Promise.all(streams);
    for (const chunks of results) {
      const ids = chunks.map(({ id }) => id);
      expect(ids).toEqual(ids.map((_, at) => `1-${at}`));
      expect(chunks[0]?.event).toBe("metadata");
      expect(chunks.filter(({ event }) => event === "messages").length).toBeGreaterThan(150);
      expect(chunks.filter(({ event }) => event === "error")).toEqual([]);
    }
    // Each wrote the same text: what arrived is whole.
    const texts = results.map((chunks) =>
      chunks
        .filter(({ event }) => event === "messages")
        .map(({ data }) => (data as [{ content: string }])[0].content)
        .join(""),
    );
    expect(new Set(texts).size).toBe(1);
  } finally {
    clearInterval(watch);
  }
  expect(mostRunning).toBe(100);
});

test("a graph that throws ends its run in error, says so in the stream, and the thread goes on", async () => {
  const { thread_id } = await server(0).threads.create();
  const chunks = await collectChunks(
    server(1).runs.stream(thread_id, "echo", {
      input: { messages: [{ role: "nobody", content: 1 }] },
    }) as AsyncIterable<Chunk>,
  );
  expect(chunks.find(({ event }) => event === "error")?.data).toMatchObject({ message: expect.any(String) });
  expect(await server(2).threads.get(thread_id)).toMatchObject({ status: "error" });
  await server(0).runs.wait(thread_id, "echo", { input: ask("again") });
  expect(await server(2).threads.get(thread_id)).toMatchObject({ status: "idle" });
});

test("runs of one thread start in order, whichever servers accepted them", async () => {
  const { thread_id } = await server(0).threads.create();
  const runs = [];
  for (const at of [0, 1, 2] as const)
    runs.push(await server(at).runs.create(thread_id, "echo", { input: ask(`${at}`) }));
  await server(0).runs.join(thread_id, runs.at(-1)?.run_id ?? "");
  const { values } = await server(1).threads.getState<{ messages: { content: string; type: string }[] }>(thread_id);
  const asked = values.messages.filter(({ type }) => type === "human").map(({ content }) => content);
  expect(asked).toEqual(["0", "1", "2"]);
  expect((await server(2).runs.list(thread_id)).map(({ run_id }) => run_id)).toEqual(
    runs.map(({ run_id }) => run_id).reverse(),
  );
});

test("what does not exist is a 404 that names it", async () => {
  const missing = uuid();
  await expect(server(0).threads.get(missing)).rejects.toThrow(missing);
  await expect(server(1).runs.create(missing, "echo", { input: ask("") })).rejects.toThrow(missing);
  await expect(server(2).runs.wait(null, "no-such-graph", { input: ask("") })).rejects.toThrow("no-such-graph");
});
