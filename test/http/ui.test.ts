/** Components of a graph, from the file that langgraph.json names to what the SDK shows in a page. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { get, request } from "node:http";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadUi, type UiFiles } from "../../app/graphs/ui.js";
import { writeProject } from "../image/support/projects.js";
import { builtApp } from "../support/build.js";
import { detailOf, post, type Started, startServer } from "./support.js";

const bundler = () => join(builtApp(), "image", "ui.js");
const sources = {
  "package.json": { type: "module" },
  "src/ui.tsx": `
    import { useState } from "react";
    import { flag } from "flags-of-the-page";
    import "./styles.css";
    const Weather = ({ city }: { city: string }) => <b className="p-4">{[city, useState("sunny")[0], flag].join(" ")}</b>;
    export default { weather: Weather };`,
  "src/styles.css": '@import "tailwindcss";',
};
const settings = (files: Record<string, string>, shared: string[] = []) => ({
  origin: "langgraph.json",
  files,
  shared,
});

let ui: UiFiles;
let at: Started;
const keyed = { API_KEY_HASHES: createHash("sha256").update("key").digest("hex") };
beforeAll(async () => {
  const folder = await writeProject(sources, afterAll);
  ui = await loadUi({ folder, ui: settings({ "my-agent": "./src/ui.tsx" }, ["flags-of-the-page"]) }, bundler());
  at = await startServer({ environment: keyed, ui });
});
afterAll(() => at.close());

/** What the SDK's `LoadExternalComponent` asks for. */
const htmlOf = (component: string, apiKey = "key") =>
  new Client({ apiUrl: at.url, apiKey, callerOptions: { maxRetries: 0 } })["~ui"].getComponent("my-agent", component);
const addressesIn = (html: string) => [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = ""]) => address);

test("the SDK gets HTML whose script shows the component with the page's own React", async () => {
  const html = await htmlOf("weather");
  const [styles = "", script = ""] = addressesIn(html);
  expect(await (await fetch(styles)).text()).toContain(".p-4");

  const shown: unknown[] = [];
  const shadow = { appendChild: () => {} };
  const page: Record<string | symbol, unknown> = {
    document: { getElementById: () => ({ shadowRoot: shadow }), createElement: () => ({}) },
    [Symbol.for("LGUI_EXT_STORE")]: { respond: (...given: unknown[]) => shown.push(...given) },
    [Symbol.for("LGUI_REQUIRE")]: (name: string) =>
      ({
        react: { useState: (value: unknown) => [value] },
        "react/jsx-runtime": { jsx: (type: string, props: object) => ({ type, ...props }) },
        "flags-of-the-page": { flag: "on" },
      })[name],
  };
  page.window = page;
  createContext(page);
  runInContext(await (await fetch(script)).text(), page);
  const onload = /onload="([^"]+)"/.exec(html.replaceAll("{{shadowRootId}}", "root-1"))?.[1] ?? "";
  runInContext(onload.replaceAll("&quot;", '"'), page);
  const [root, component] = shown as [string, (props: object) => object];
  expect(root).toBe("root-1");
  expect(component({ city: "Rome" })).toEqual({ type: "b", className: "p-4", children: "Rome sunny on" });
});

test("a component's name is a text in the page, whatever it holds", async () => {
  const html = await htmlOf(`"); alert('1') </script><b x='`);
  expect(html).not.toMatch(/'|<b|<\/script>.*<\/script>/);
});

test("files are public, for pages of other origins, and kept until they change; the HTML needs the key", async () => {
  await expect(htmlOf("other", "wrong")).rejects.toThrow("401");
  for (const [file, type] of [
    ["entrypoint.js", "text/javascript; charset=utf-8"],
    ["entrypoint.css", "text/css; charset=utf-8"],
  ]) {
    const url = `${at.url}/ui/my-agent/${file}`;
    const { status, headers } = await fetch(url);
    expect([status, headers.get("content-type"), headers.get("cross-origin-resource-policy")]).toEqual([
      ...[200, type, "cross-origin"],
    ]);
    const [again] = await once(get(url, { headers: { "if-none-match": headers.get("etag") ?? "" } }), "response");
    expect(again.resume().statusCode).toBe(304);
  }
  for (const path of ["other.js", "..%2f..%2fpackage.json", "constructor", "..%2fui.tsx"])
    expect((await fetch(`${at.url}/ui/my-agent/${path}`)).status, path).toBe(404);
  expect((await fetch(`${at.url}/ui/my-agent`)).status).toBe(401);
  expect((await fetch(`${at.url}/ui/my-agent/entrypoint.js`, { method: "DELETE" })).status).toBe(401);
});

test("addresses are those by which the client has come, below the prefix", async () => {
  const mounted = await startServer({ ui, http: { mount_prefix: "/api" } });
  const ask = async (headers: Record<string, string>) => {
    const asking = request(`${mounted.url}/api/ui/my-agent`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
    }).end('{"name": "weather"}');
    const [response] = await once(asking, "response");
    const chunks = await response.toArray();
    return addressesIn(Buffer.concat(chunks).toString())[1] ?? response.statusCode;
  };
  const file = "/api/ui/my-agent/entrypoint.js";
  expect(await ask({})).toBe(mounted.url + file);
  expect((await fetch(mounted.url + file)).status).toBe(200);
  expect(await ask({ host: "agents.example.com" })).toBe(`//agents.example.com${file}`);
  expect(await ask({ host: "agents.example.com", "x-forwarded-proto": "https" })).toBe(
    `https://agents.example.com${file}`,
  );
  expect(await ask({ host: 'a"><script>' })).toBe(400);
  await mounted.close();
});

test("a graph without components, and a body without a name, are told so; disable_ui takes the routes away", async () => {
  const headers = { "x-api-key": "key" };
  const none = await post(`${at.url}/ui/echo`, { name: "weather" }, headers);
  expect([none.status, await detailOf(none)]).toEqual([
    ...[404, "there are no components for echo: langgraph.json names none under ui"],
  ]);
  expect((await fetch(`${at.url}/ui/echo/entrypoint.js`)).status).toBe(404);
  const unnamed = await post(`${at.url}/ui/my-agent`, {}, headers);
  expect([unnamed.status, await detailOf(unnamed)]).toEqual([422, "body.name: is required"]);

  const off = await startServer({ ui, http: { disable_ui: true } });
  expect((await post(`${off.url}/ui/my-agent`, { name: "weather" })).status).toBe(404);
  expect((await fetch(`${off.url}/ui/my-agent/entrypoint.js`)).status).toBe(404);
  expect(await (await fetch(`${off.url}/openapi.json`)).text()).not.toContain('"/ui');
  await off.close();
});

test("what can't be bundled, or is in no image, is one sentence that names the file", async () => {
  const folder = await writeProject({ ...sources, "src/broken.tsx": '\nimport "nowhere";\nexport default {};' });
  const load = (files: Record<string, string>, from = bundler()) => loadUi({ folder, ui: settings(files) }, from);
  await expect(load({ agent: "./src/broken.tsx" })).rejects.toThrow(
    'langgraph.json: ui.agent: ./src/broken.tsx can\'t be bundled: Could not resolve "nowhere" (src/broken.tsx:2)',
  );
  await expect(load({ agent: "./src/gone.tsx" })).rejects.toThrow("ui.agent names ./src/gone.tsx, which is not there");
  await expect(load({ agent: "./src/ui.tsx" }, "/no/bundler.js")).rejects.toThrow("ui.agent is not in this image");
});
