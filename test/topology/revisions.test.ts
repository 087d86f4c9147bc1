/**
 * A deploy on ECS, where old and new workers run side by side: against a small server that plays the agent and the
 * endpoint of the tasks' metadata.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  doersOf,
  executes,
  healthOf,
  numbersOf,
  oneToTen,
  recordOf,
  type StateOfSteps,
  says,
} from "../support/runs.js";
import { type Instance, type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/steps/langgraph.json", import.meta.url));

let ecs: Server;
let all: Topology;
/** What the agent was told by a task: `true`, `false`. */
let told: Record<string, boolean[]>;
let refuses: boolean;

beforeEach(async () => {
  told = {};
  refuses = false;
  ecs = createServer(async (request, response) => {
    const [, revision = "", ...path] = request.url?.split("/") ?? [];
    let body = "";
    for await (const chunk of request) body += chunk;
    response.setHeader("content-type", "application/json");
    if (path.join("/") === "v4/task") return response.end(JSON.stringify({ Family: "workers", Revision: revision }));
    expect(`${request.method} ${path.join("/")}`).toBe("PUT agent/task-protection/v1/state");
    told[revision] = [...(told[revision] ?? []), JSON.parse(body).ProtectionEnabled];
    response.end(refuses ? '{"failure":{"Reason":"TASK_NOT_VALID"}}' : '{"protection":{}}');
  });
  await new Promise<void>((listening) => ecs.listen(0, "127.0.0.1", listening));
  all = await topology({ config, workers: 0, environment: { RUNS_PER_WORKER: "2" } });
});
afterEach(async () => {
  await all.stop();
  ecs.close();
  ecs.closeAllConnections();
});

const startWorkerOf = async (revision: number) => {
  const uri = `http://127.0.0.1:${(ecs.address() as AddressInfo).port}/${revision}`;
  return await all.startWorker({ ECS_CONTAINER_METADATA_URI_V4: `${uri}/v4`, ECS_AGENT_URI: `${uri}/agent` });
};
const begin = async (pace_ms: number) => {
  const { thread_id } = await all.client.threads.create();
  const { run_id } = await all.client.runs.create(thread_id, "steps", { input: { pace_ms }, durability: "sync" });
  return { thread_id, run_id };
};
const valuesAtEnd = async (run: { thread_id: string; run_id: string }) => {
  await all.client.runs.join(run.thread_id, run.run_id);
  return (await all.client.threads.getState<StateOfSteps>(run.thread_id)).values;
};
const logs = (worker: Instance, event: string) => says(worker, `"event":"${event}"`);

test("a worker gives way to one of a later revision, drops its protection, and claims again when that one is gone", {
  timeout: 90_000,
}, async () => {
  const old = await startWorkerOf(9);
  // Long enough for another worker to start meanwhile, also on a busy machine.
  const moving = await begin(1_500);
  // It would not be idle for long: these end where they began, and there is always one that waits for a slot.
  for (let run = 0; run < 20; run++) await all.client.runs.create(null, "steps", { input: { pace_ms: 60 } });
  await executes(old, 2);
  await vi.waitFor(() => expect(told["9"]).toEqual([true]), { timeout: 10_000 });

  const later = await startWorkerOf(10);
  await logs(old, "superseded");
  const values = await valuesAtEnd(moving);
  expect(numbersOf(values)).toEqual(oneToTen);
  expect(doersOf(values)).toEqual(new Set([old.process.pid, later.process.pid]));
  expect((await recordOf(all, moving)).failures ?? "0").toBe("0");
  await vi.waitFor(() => expect(told["9"]).toEqual([true, false]), { timeout: 20_000 });

  const next = await Promise.all(Array.from({ length: 8 }, () => begin(5)));
  for (const run of next) expect(doersOf(await valuesAtEnd(run))).toEqual(new Set([later.process.pid]));
  expect(told["9"]).toEqual([true, false]);

  await later.end("SIGKILL");
  await logs(old, "claiming_again");
  expect(doersOf(await valuesAtEnd(await begin(5)))).toEqual(new Set([old.process.pid]));
});

test("one that stops by itself makes room at once; equal and earlier revisions disturb nobody", {
  timeout: 60_000,
}, async () => {
  const old = await startWorkerOf(3);
  const equal = await startWorkerOf(3);
  const later = await startWorkerOf(4);
  await Promise.all([logs(old, "superseded"), logs(equal, "superseded")]);
  // It has a run that can't move, and drains for a while; others don't count with it meanwhile.
  await all.client.runs.create(null, "steps", { input: { pace_ms: 300 } });
  await executes(later, 1);
  const ended = later.end("SIGTERM");
  await Promise.all([logs(old, "claiming_again"), logs(equal, "claiming_again")]);
  expect(await ended).toBe(0);
  expect(later.log()).not.toContain("superseded");
  const done = await Promise.all((await Promise.all(Array.from({ length: 12 }, () => begin(20)))).map(valuesAtEnd));
  expect(new Set(done.flatMap((values) => [...doersOf(values)]))).toEqual(
    new Set([old.process.pid, equal.process.pid]),
  );
});

test("a refused protection is counted where the worker tells of itself, and its runs go on", async () => {
  refuses = true;
  const worker = await startWorkerOf(1);
  const run = await begin(20);
  expect(numbersOf(await valuesAtEnd(run))).toHaveLength(10);
  await vi.waitFor(async () => expect(await healthOf(worker)).toMatchObject({ ok: true, protectionRefused: 1 }));
  await logs(worker, "task_protection_refused");
});
