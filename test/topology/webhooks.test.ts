/** Webhooks from one end to the other: servers that take them, workers that send them and die of it. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { hangs, type Receiver, receiver } from "../support/receiver.js";
import { says } from "../support/runs.js";
import { type Topology, topology } from "../support/topology.js";

const config = fileURLToPath(new URL("../support/projects/told/langgraph.json", import.meta.url));
const environment = { LG_WEBHOOK_TOKEN: "token-1", WEBHOOK_TIMEOUT_SECONDS: "1" };

// Several processes start in each test, on machines that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let all: Topology;
beforeAll(async () => {
  all = await topology({ config, environment });
}, 60_000);
afterAll(() => all.stop());

const toldOf = (to: Receiver, run: { run_id: string }) =>
  vi.waitFor(
    () => {
      const told = to.told.find((each) => each.run.run_id === run.run_id);
      if (!told) expect.fail(`run ${run.run_id} was not told`);
      return told;
    },
    { timeout: 20_000, interval: 20 },
  );

test("a run that ends, and one that is cancelled, are told as the API shows them, with the project's headers", async () => {
  const to = await receiver();
  const { client } = all;
  const { thread_id } = await client.threads.create();
  const input = { pace_ms: 1 };
  const run = await client.runs.create(thread_id, "steps", { input, webhook: `${to.url}/hook`, metadata: { a: 1 } });
  const told = await toldOf(to, run);
  expect(told).toMatchObject({ path: "/hook", headers: { authorization: "Bearer token-1" } });
  const { created_at, updated_at: _, ...shown } = await client.runs.get(thread_id, run.run_id);
  expect(told.run).toMatchObject({ ...shown, created_at, kwargs: { webhook: `${to.url}/hook` } });
  expect(told.run.values).toEqual((await client.threads.getState(thread_id)).values);

  const [stateless, cancelled] = await Promise.all([
    client.runs.create(null, "steps", { input, webhook: to.url }),
    client.runs.create(thread_id, "steps", { input: { pace_ms: 10_000 }, webhook: to.url }),
  ]);
  expect((await toldOf(to, stateless)).run).toMatchObject({ status: "success", values: { pace_ms: 1 } });
  await client.runs.cancel(thread_id, cancelled.run_id, true);
  expect((await toldOf(to, cancelled)).run).toMatchObject({ status: "interrupted" });
});

test("a webhook that may not be is refused, and starts nothing", async () => {
  const { thread_id } = await all.client.threads.create();
  for (const [webhook, sentence] of [
    ["/threads", "body.webhook: must be an absolute address such as https://example.com/hook"],
    ["https://example.com/", "body.webhook: must be on a host that webhooks.url.allowed_domains names"],
    ["http://169.254.169.254/latest", "body.webhook: must be on a host that webhooks.url.allowed_domains names"],
  ] as const) {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ assistant_id: "steps", webhook });
    const answer = await fetch(`${all.url}/threads/${thread_id}/runs`, { method: "POST", headers, body });
    expect([answer.status, await answer.json()]).toEqual([422, { detail: sentence }]);
  }
  expect(await all.client.runs.list(thread_id)).toEqual([]);
});

test("a worker that is killed while it sends is followed by another", async () => {
  const to = await receiver(hangs);
  const run = await all.client.runs.create(null, "steps", { input: { pace_ms: 1 }, webhook: to.url });
  await toldOf(to, run);
  await all.workers[0]?.end("SIGKILL");
  to.answer = (response) => response.writeHead(204).end();
  const next = await all.startWorker();
  await says(next, '"event":"webhook_sent"');
  expect(to.told.map((each) => each.run.run_id)).toEqual([run.run_id, run.run_id]);
});

test("a worker whose headers need a variable that is not set does not start", async () => {
  const start = all.startWorker({ LG_WEBHOOK_TOKEN: "" });
  await expect(start).rejects.toThrow(
    "langgraph.json: webhooks.headers.authorization needs LG_WEBHOOK_TOKEN, which is not set in the environment",
  );
});
