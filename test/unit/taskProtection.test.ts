/** Against a small server that plays the ECS agent. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createTaskProtection, type TaskProtection } from "../../app/worker/taskProtection.js";
import { silent } from "../support/core.js";

let agent: Server;
let agentUri: string;
/** What the agent was told: `true 30`, `false`. */
let told: string[];
let status: number;
let protection: TaskProtection | undefined;

beforeEach(async () => {
  told = [];
  status = 200;
  agent = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { ProtectionEnabled, ExpiresInMinutes } = JSON.parse(body);
    told.push(
      [request.method, request.url, ProtectionEnabled, ExpiresInMinutes].filter((part) => part !== undefined).join(" "),
    );
    response.writeHead(status).end(status === 200 ? '{"protection":{}}' : '{"failure":{"Reason":"TASK_NOT_VALID"}}');
  });
  await new Promise<void>((listening) => agent.listen(0, "127.0.0.1", listening));
  agentUri = `http://127.0.0.1:${(agent.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await protection?.end();
  agent.close();
  agent.closeAllConnections();
});

const start = (times: { minuteMs?: number; idleMs?: number; lapseMs?: number } = {}) => {
  protection = createTaskProtection({ agentUri, minutes: 30, log: silent, ...times });
  return protection;
};
const TAKEN = "PUT /task-protection/v1/state true 30";
const DROPPED = "PUT /task-protection/v1/state false";

test("it is taken with the first run, kept over short pauses, and dropped when the worker stays idle", async () => {
  const worker = start({ idleMs: 60 });
  worker.busy();
  await vi.waitFor(() => expect(told).toEqual([TAKEN]));
  for (let pause = 0; pause < 5; pause++) {
    worker.idle();
    worker.busy();
  }
  worker.idle();
  await vi.waitFor(() => expect(told).toEqual([TAKEN, DROPPED]));
});

test("a worker that is never idle lets it lapse before it takes it again", async () => {
  const worker = start({ minuteMs: 1, lapseMs: 100 });
  worker.busy();
  await vi.waitFor(() => expect(told).toEqual([TAKEN]));
  const first = performance.now();
  await vi.waitFor(() => expect(told).toEqual([TAKEN, TAKEN]));
  expect(performance.now() - first).toBeGreaterThanOrEqual(100);
});

test("a worker that ends drops it", async () => {
  const worker = start();
  worker.busy();
  await vi.waitFor(() => expect(told).toEqual([TAKEN]));
  await worker.end();
  expect(told).toEqual([TAKEN, DROPPED]);
});

test("a refusal, and an agent that is not there, hold nothing up", async () => {
  status = 400;
  const refused = start({ idleMs: 10 });
  refused.busy();
  await vi.waitFor(() => expect(told).toEqual([TAKEN]));
  refused.idle();
  await refused.end();

  agentUri = "http://127.0.0.1:1";
  const alone = start();
  alone.busy();
  await alone.end();
});

test("outside of ECS there is nothing to ask", async () => {
  const local = createTaskProtection({ agentUri: undefined, minutes: 30, log: silent });
  local.busy();
  local.idle();
  await local.end();
  expect(told).toEqual([]);
});

test("one that gives way drops it when its last run has left, without waiting, and takes none meanwhile", async () => {
  const worker = start({ idleMs: 60_000 });
  worker.busy();
  await vi.waitFor(() => expect(told).toEqual([TAKEN]));
  worker.giveWay(true);
  worker.idle();
  await vi.waitFor(() => expect(told).toEqual([TAKEN, DROPPED]));
  worker.busy();
  worker.idle();
  worker.giveWay(false);
  worker.busy();
  await vi.waitFor(() => expect(told).toEqual([TAKEN, DROPPED, TAKEN]));
});

test("refusals are counted", async () => {
  status = 400;
  const counts: number[] = [];
  protection = createTaskProtection({
    agentUri,
    minutes: 30,
    log: silent,
    idleMs: 10,
    onRefused: (times) => counts.push(times),
  });
  protection.busy();
  await vi.waitFor(() => expect(counts).toEqual([1]));
  protection.idle();
  await vi.waitFor(() => expect(counts).toEqual([1, 2]));
});
