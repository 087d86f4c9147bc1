/**
 * The figures of docs/performance.md: seconds from `npm start` to ready, memory of each role at rest, and the first
 * event of `echo` through the load balancer.   node --import tsx test/bench/mainJob.ts
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

const REQUESTS = 300;
const WARM_UP = 50;
const REST_MS = 5_000;

const port = await freePort();
const started = performance.now();
const args = ["start", "--silent", "--", "--servers", "3", "--workers", "2", "--port", String(port)];
const topology = spawn("npm", args, { stdio: ["ignore", "pipe", "ignore"], detached: true });
await new Promise<void>((ready) => {
  createInterface({ input: topology.stdout }).on("line", (line) => {
    if (line.startsWith("ready ")) ready();
  });
});
const readySeconds = (performance.now() - started) / 1000;

await delay(REST_MS);
const memory = { server: residentMb("server"), worker: residentMb("worker") };
const firstEvents: number[] = [];
for (let request = 0; request < WARM_UP + REQUESTS; request++) {
  const ms = await firstEvent();
  if (request >= WARM_UP) firstEvents.push(ms);
}
firstEvents.sort((a, b) => a - b);

process.kill(-(topology.pid ?? 0), "SIGINT");
await once(topology, "exit");
const at = (share: number) => (firstEvents[Math.floor(firstEvents.length * share)] ?? 0).toFixed(1);
process.stdout.write(
  [
    `ready after ${readySeconds.toFixed(1)} s (3 servers, 2 workers)`,
    `memory at rest: server ${memory.server.join(", ")} MB; worker ${memory.worker.join(", ")} MB`,
    `first event of echo, ${REQUESTS} requests one after the other: median ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms`,
    "",
  ].join("\n"),
);

/** From sending the request to the first event, in ms. */
async function firstEvent(): Promise<number> {
  const sent = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/runs/stream`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ assistant_id: "echo", input: { messages: [{ role: "user", content: "hello" }] } }),
  });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  for (let text = ""; !text.includes("event: "); ) text += decoder.decode((await reader.read()).value);
  const ms = performance.now() - sent;
  while (!(await reader.read()).done);
  return ms;
}

/** Of every process of a role that this topology started. */
function residentMb(role: string): number[] {
  const group = execFileSync("ps", ["-eo", "rss,args"], { encoding: "utf8" });
  return group
    .split("\n")
    .filter((line) => line.includes(`${process.cwd()}/dist/app-`) && line.endsWith(`main.js ${role}`))
    .map((line) => Math.round(Number.parseInt(line, 10) / 1024));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address ? address.port : 0;
}
