/** The store as graphs and clients share it: two workers of one slot each, two servers, one Redis. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/memory/langgraph.json", import.meta.url));

let all: Topology;
beforeAll(async () => {
  all = await topology({ servers: 2, workers: 2, config, environment: { RUNS_PER_WORKER: "1" } });
}, 120_000);
afterAll(() => all.stop());

interface Known {
  known: { key: string; process?: number; text?: string }[];
}

const tell = async (threadId: string | null, graph: string, input: object) => {
  const options = { input: input as Record<string, unknown> };
  // One overload takes a thread, another none.
  const answer = threadId ? all.client.runs.wait(threadId, graph, options) : all.client.runs.wait(null, graph, options);
  return (await answer) as unknown as Known;
};
const names = ({ known }: Known) => known.map(({ key }) => key).sort();

test("runs on two workers meet in the store, and a third on another thread recalls both", async () => {
  const place = ["meetings", "monday"];
  const threads = await Promise.all([all.client.threads.create(), all.client.threads.create()]);
  const [ada, bob] = await Promise.all([
    tell(threads[0].thread_id, "meet", { place, name: "ada" }),
    tell(null, "meet", { place, name: "bob" }),
  ]);
  expect([names(ada), names(bob)]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ]);
  const processes = new Set(ada.known.map(({ process }) => process));
  expect([...processes].sort()).toEqual(all.workers.map((worker) => worker.process.pid).sort());
  expect(names(await tell(threads[1].thread_id, "recall", { place }))).toEqual(["ada", "bob"]);
});

test("clients find what graphs put, and graphs what clients put and deleted", async () => {
  const place = ["meetings", "monday"];
  const { items } = await all.client.store.searchItems(["meetings"]);
  expect(items.map(({ key }) => key).sort()).toEqual(["ada", "bob"]);
  await all.client.store.putItem(place, "cy", { text: "came late" });
  await all.client.store.deleteItem(place, "bob");
  const { known } = await tell(null, "recall", { place });
  expect(known).toEqual([{ key: "cy", text: "came late" }, expect.objectContaining({ key: "ada" })]);
});

test("a store that the user compiled in stays", async () => {
  expect(await tell(null, "own", {})).toMatchObject({ known: [{ key: "mine", text: "compiled in" }] });
});

test("what the store refuses fails the run, in a sentence", async () => {
  const { thread_id } = await all.client.threads.create();
  const run = await all.client.runs.create(thread_id, "refuse", { input: {} });
  expect(await all.client.runs.join(thread_id, run.run_id)).toMatchObject({
    __error__: { error: "StoreRefused", message: "namespace must have at most 1024 bytes" },
  });
});
