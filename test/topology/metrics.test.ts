import { afterAll, beforeAll, expect, test } from "vitest";
import { type Topology, topology } from "../support/topology.js";

let all: Topology;
beforeAll(async () => {
  all = await topology();
});
afterAll(() => all.stop());

test("a server and a worker tell of the runs that wait, that run and that have ended", async () => {
  const [server, worker] = [all.servers[0], all.workers[0]];
  if (!server || !worker) throw new Error("a topology has both");
  const told = async (url: string) => await (await fetch(`${url}/metrics`)).text();
  const input = { messages: [{ role: "user", content: "a long story" }] };
  // A minute, on which nobody waits: it is to run until it is cancelled.
  const config = { configurable: { pace_ms: 300 } };
  const thread = await server.client.threads.create();

  await server.client.runs.wait(null, "echo", { input });
  const writer = await server.client.runs.create(thread.thread_id, "writer", { input, config });
  await server.client.runs.create(thread.thread_id, "echo", { input, afterSeconds: 3600 });
  await expect.poll(() => told(server.url)).toContain('\nswitchyard_runs{state="running"} 1\n');
  expect(await told(server.url)).toContain('\nswitchyard_runs{state="delayed"} 1\n');
  await expect.poll(() => told(worker.url)).toContain("\nswitchyard_worker_slots_used 1\n");

  await server.client.runs.cancel(thread.thread_id, writer.run_id, true);
  await expect.poll(() => told(worker.url)).toContain('\nswitchyard_worker_runs_total{outcome="interrupted"} 1\n');
  const text = await told(worker.url);
  for (const line of [
    'worker_runs_total{outcome="success"} 1',
    "worker_slots 10",
    "worker_slots_used 0",
    "redis_up 1",
    "redis_watchdog_cuts_total 0",
    "redis_unconfirmed_writes_total 0",
    'swept_runs_total{what="requeued"} 0',
  ])
    expect(text).toContain(`\nswitchyard_${line}\n`);
  expect(text).toMatch(/^process_cpu_seconds_total [\d.]+$/m);
  expect(await (await fetch(`${worker.url}/metrics?format=json`)).json()).toContainEqual(
    expect.objectContaining({ name: "switchyard_worker_slots" }),
  );
});
