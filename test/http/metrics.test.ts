import { afterEach, expect, test } from "vitest";
import { post, type Started, type StartOptions, startServer } from "./support.js";

const open: Started[] = [];
async function start(options?: StartOptions): Promise<Started> {
  const at = await startServer(options);
  open.push(at);
  return at;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((at) => at.close()));
});

const metricsOf = async ({ url }: Started) => await (await fetch(`${url}/metrics`)).text();

test("tell requests by route and status, and never an address", async () => {
  const at = await start();
  const thread = "0193a0b0-0000-7000-8000-000000000001";
  for (const path of [`/threads/${thread}`, `/threads/${thread}`, "/threads/nobody", "/no/such/path?secret=1"])
    await fetch(at.url + path);
  await expect.poll(() => metricsOf(at)).toContain('route="other",status="404"} 1');
  const text = await metricsOf(at);
  expect(text).toContain('switchyard_http_requests_total{method="GET",route="/threads/:thread_id",status="404"} 2');
  expect(text).toContain('switchyard_http_requests_total{method="GET",route="/threads/:thread_id",status="422"} 1');
  expect(text).toContain('switchyard_http_request_duration_seconds_count{method="GET",route="/threads/:thread_id"} 3');
  expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
  expect(text).not.toContain(thread);
  expect(text).not.toContain("secret");
});

test("tell how many streams are open, which are no slow requests", async () => {
  const at = await start();
  const stream = await post(`${at.url}/runs/stream`, { assistant_id: "echo" });
  expect(await metricsOf(at)).toMatch(/^switchyard_open_streams 1$/m);
  await stream.body?.cancel();
  await expect.poll(() => metricsOf(at)).toMatch(/^switchyard_open_streams 0$/m);
  const text = await metricsOf(at);
  expect(text).toContain('switchyard_http_requests_total{method="POST",route="/runs/stream",status="200"} 1');
  expect(text).not.toContain('duration_seconds_count{method="POST",route="/runs/stream"}');
});

test("tell the queue's depth, and all else while Redis is away", async () => {
  let away = false;
  const at = await start({
    queueDepth: async () => {
      if (away) throw new Error("Connection is closed.");
      return { claimable: 3, delayed: 2, running: 1 };
    },
  });
  const text = await metricsOf(at);
  for (const line of ['runs{state="claimable"} 3', 'runs{state="delayed"} 2', 'runs{state="running"} 1', "redis_up 1"])
    expect(text).toContain(`\nswitchyard_${line}\n`);
  away = true;
  const without = await metricsOf(at);
  expect(without).toContain("\nswitchyard_redis_up 0\n");
  expect(without).not.toContain("switchyard_runs{");
});

test("do not take for absence what Redis answers", async () => {
  const failing = await start({
    queueDepth: async () => {
      throw new Error("NOPERM this user has no permissions to run the command");
    },
  });
  expect((await fetch(`${failing.url}/metrics`)).status).toBe(500);
});

test("come as JSON where that is asked for, and as nothing else", async () => {
  const at = await start();
  const response = await fetch(`${at.url}/metrics?format=json`);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(await response.json()).toContainEqual(
    expect.objectContaining({ name: "switchyard_open_requests", type: "gauge", values: [{ labels: {}, value: 1 }] }),
  );
  expect((await fetch(`${at.url}/metrics`)).headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  expect((await fetch(`${at.url}/metrics?format=xml`)).status).toBe(422);
});
