/** The operations that no SDK has a method for, and the headers that every answer has. */
import { randomUUID } from "node:crypto";
import { type Case, type Outcome, runCases, type Target } from "./cases.js";
import { ranOn } from "./js/support.js";
import type { Context } from "./parts.js";
import { having, is, must, number, object, text, uuid } from "./shape.js";

async function get({ url }: Target, path: string, type: RegExp): Promise<Response> {
  const response = await fetch(`${url}${path}`);
  must(response.status, 200, `status of ${path}`);
  must(type.test(response.headers.get("content-type") ?? ""), true, `content type of ${path}`);
  must(response.headers.get("x-request-id"), text, "x-request-id");
  return response;
}

const JSON_TYPE = /^application\/json/;
const json = async (target: Target, path: string): Promise<unknown> => (await get(target, path, JSON_TYPE)).json();

const cases: Case[] = [
  {
    name: "GET / and GET /ok, with check_db too",
    async run(target) {
      for (const path of ["/", "/ok", "/ok?check_db=0", "/ok?check_db=1"])
        must(await json(target, path), having({ ok: true }));
    },
  },
  {
    name: "GET /info",
    async run(target) {
      must(
        await json(target, "/info"),
        having({ version: text, langgraph_js_version: text, context: "js", flags: object }),
      );
    },
  },
  {
    name: "GET /openapi.json",
    async run(target) {
      must(
        await json(target, "/openapi.json"),
        having({ openapi: is("3.1", (at) => /^3\.1/.test(String(at))), paths: object }),
      );
    },
  },
  {
    name: "GET /docs: a page that asks no other host",
    async run(target) {
      const page = await (await get(target, "/docs", /^text\/html/)).text();
      must(/(src|href)="https?:/.test(page), false, "the page asks another host");
    },
  },
  {
    name: "GET /metrics, as text for Prometheus and as JSON",
    async run(target) {
      const lines = await (await get(target, "/metrics", /^text\/plain/)).text();
      must(/^# TYPE \w+ (counter|gauge|histogram)$/m.test(lines), true, "types of metrics");
      await get(target, "/metrics?format=json", JSON_TYPE);
    },
  },
  {
    name: "GET /threads/{id}/history",
    async run(target) {
      const threadId = await ranOn(target.client, "steps", { topic: "a" });
      const states = await json(target, `/threads/${threadId}/history?limit=2`);
      must(states, [
        having({ values: { topic: "a", items: ["first", "second"] }, next: [] }),
        having({ values: { topic: "a", items: ["first"] }, next: ["second"] }),
      ]);
    },
  },
  {
    name: "GET /threads/{id}/storage",
    async run(target) {
      const threadId = await ranOn(target.client, "steps", { topic: "a" });
      const bytes = await json(target, `/threads/${threadId}/storage`);
      must(
        Object.values(bytes as object).some((value) => typeof value === "number" && value > 0),
        true,
        "bytes",
      );
      must((await fetch(`${target.url}/threads/${randomUUID()}/storage`)).status, 404, "status of no thread");
    },
  },
  {
    name: "POST runs: Location and Content-Location say where the run is",
    async run({ url, client }) {
      const { thread_id } = await client.threads.create();
      const start = (path: string) =>
        fetch(`${url}${path}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ assistant_id: "steps", input: {} }),
        });
      for (const [path, at] of [
        [`/threads/${thread_id}/runs`, `/threads/${thread_id}/runs`],
        ["/runs", "/runs"],
      ])
        for (const [way, rest] of [
          ["", undefined],
          ["/stream", "stream"],
          ["/wait", "join"],
        ]) {
          const { headers, body } = await start(`${path}${way}`);
          await body?.cancel();
          const where = headers.get("content-location") ?? "";
          must(where.startsWith(`${at}/`), true, `Content-Location ${where} of ${path}${way}`);
          const runId = where.slice((at ?? "").length + 1);
          must(runId, uuid, "run id");
          const thread = path === "/runs" ? runId : thread_id;
          const location = rest === undefined ? null : `/threads/${thread}/runs/${runId}/${rest}`;
          must(headers.get("location"), location, `Location of ${path}${way}`);
        }
    },
  },
  {
    name: "POST /ui/{graph_id}, as LoadExternalComponent asks, and the script that it names",
    async run(target) {
      const html = await target.client["~ui"].getComponent("steps", "card");
      const [, path] = /<script src="[^"]+?(\/ui\/steps\/[^"]+)" onload="__LGUI_steps\.render\(/.exec(html) ?? [];
      must(path, text, "the script's address");
      const script = await (await get(target, path ?? "", /^text\/javascript/)).text();
      must(script.includes("__LGUI_steps"), true, "the script has the bundle's name");
      must((await fetch(`${target.url}/ui/steps/none.js`)).status, 404, "status of no file");
    },
  },
  {
    name: "POST /internal/truncate, where the settings allow it",
    alone: true,
    async run({ url, client }) {
      const { thread_id } = await client.threads.create();
      await client.store.putItem(["truncate"], "k", {});
      const response = await fetch(`${url}/internal/truncate`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ runs: true, threads: true, assistants: true, checkpointer: true, store: true }),
      });
      must(
        response.status,
        is("200 or 204", (status) => status === 200 || status === 204),
        "status",
      );
      await response.body?.cancel();
      must((await fetch(`${url}/threads/${thread_id}`)).status, 404, "status of a thread that was there");
      must(await client.store.getItem(["truncate"], "k"), null);
      must((await client.assistants.get("steps")).version, number, "version of a graph's own assistant");
    },
  },
];

export async function run(context: Context): Promise<Outcome> {
  context.say("http: what no SDK calls");
  const entry = await (await context.deployment("one")).enter();
  const outcome = await runCases(cases, entry, "");
  context.calls.set("http", entry.calls);
  return outcome;
}
