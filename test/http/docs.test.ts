import { createHash } from "node:crypto";
import { once } from "node:events";
import { get } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Started, startServer } from "./support.js";

let at: Started;
beforeAll(async () => {
  at = await startServer({ environment: { API_KEY_HASHES: createHash("sha256").update("key").digest("hex") } });
});
afterAll(() => at.close());

test("the page and all that it loads come from the server itself, without a key", async () => {
  const response = await fetch(`${at.url}/docs`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const page = await response.text();
  const loaded = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = ""]) => address);
  expect(loaded.filter((address) => !/^(\/docs\/|data:)/.test(address))).toEqual([]);
  const types: Record<string, string> = { js: "text/javascript", css: "text/css" };
  for (const path of loaded.filter((address) => address.startsWith("/"))) {
    const file = await fetch(at.url + path);
    expect(file.status, path).toBe(200);
    expect(file.headers.get("content-type"), path).toContain(types[path.split(".").at(-1) ?? ""]);
    expect((await file.text()).length, path).toBeGreaterThan(100);
  }
  expect(loaded).toContain("/docs/swagger-ui-bundle.js");
});

test("its policy allows neither other servers nor scripts within the page, and needs no certificate", async () => {
  const response = await fetch(`${at.url}/docs`);
  const policy = response.headers.get("content-security-policy") ?? "";
  expect(policy).toMatch(/default-src 'none'; script-src 'self';/);
  expect(policy).not.toMatch(/https?:|unsafe-eval|upgrade-insecure-requests|\*/);
  expect(await response.text()).not.toMatch(/<script>|<script [^>]*>[^<]| on\w+=|style="/);
});

test("files that are none of the page's are not served, nor is anything stored in the browser", async () => {
  for (const path of ["/docs/index.html", "/docs/swagger-initializer.js", "/docs/..%2fdocs.js", "/docs/package.json"])
    expect((await fetch(at.url + path, { headers: { "x-api-key": "key" } })).status, path).toBe(404);
  expect((await fetch(`${at.url}/docs/page.js`, { method: "POST" })).status).toBe(401);
  const script = await (await fetch(`${at.url}/docs/page.js`)).text();
  expect(script).not.toMatch(/localStorage|sessionStorage|cookie/);
  expect(script).toContain("persistAuthorization: false");
});

test("a browser that has the files is told that they have not changed", async () => {
  const file = await fetch(`${at.url}/docs/swagger-ui.css`);
  await file.text();
  expect(file.headers.get("cache-control")).toBe("no-cache");
  // Not by fetch, which then asks for what is new in any case.
  const headers = { "if-none-match": file.headers.get("etag") ?? "" };
  const [again] = await once(get(`${at.url}/docs/swagger-ui.css`, { headers }), "response");
  expect(again.resume().statusCode).toBe(304);
});
