/** What the key `http` of langgraph.json, and a default time to live, change of the API. */
import { createHash } from "node:crypto";
import { request } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { headerChooser } from "../../app/http/configurableHeaders.js";
import { partOf } from "../../app/http/parts.js";
import { detailOf, ECHO_ID, post, type Started, type StartOptions, startServer } from "./support.js";

const open: Started[] = [];
async function start(options?: StartOptions): Promise<Started> {
  const at = await startServer(options);
  open.push(at);
  return at;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((at) => at.close()));
});

const THREAD = "/threads/0193a0b0-0000-7000-8000-000000000001";
const statusOf = async (url: string, method = "GET") =>
  (
    await fetch(url, {
      method,
      ...(method === "POST" && { body: "{", headers: { "content-type": "application/json" } }),
    })
  ).status;

describe("a part that is switched off is not there", () => {
  test.each([
    ["assistants", [`/assistants/${ECHO_ID}`], ["/info", THREAD]],
    ["threads", [THREAD, `${THREAD}/state`], [`${THREAD}/runs`, "/info"]],
    ["runs", [`${THREAD}/runs`, `/runs/${ECHO_ID}/stream`], [THREAD, "/info"]],
    ["store", ["/store/items?namespace=a&key=b"], ["/info"]],
    ["meta", ["/info", "/metrics", "/openapi.json", "/docs", "/docs/page.js"], ["/ok", THREAD]],
  ])("%s", async (part, gone, there) => {
    const { url } = await start({ http: { [`disable_${part}`]: true } });
    const noRoute = async (path: string) => {
      const answer = await fetch(url + path);
      return answer.status === 404 && (await detailOf(answer)) === `GET ${path.split("?")[0]} does not exist`;
    };
    for (const path of gone) expect(await noRoute(path), path).toBe(true);
    for (const path of there) expect(await noRoute(path), path).toBe(false);
    if (part === "meta") return;
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> };
    expect(Object.keys(paths).filter((path) => partOf(path) === part)).toEqual([]);
    expect(Object.keys(paths).length).toBeGreaterThan(5);
  });

  test("and those that nobody serves here may be switched off as well", async () => {
    const { url } = await start({ http: { disable_mcp: true, disable_a2a: true, disable_ui: true } });
    expect(await statusOf(`${url}/runs`, "POST")).toBe(422);
  });
});

describe("a mount prefix", () => {
  const key = createHash("sha256").update("key").digest("hex");

  test("stands before everything; /ok is also where health checks look for it", async () => {
    const { url, runs } = await start({ http: { mount_prefix: "/api/v1/" } });
    for (const path of ["/ok", "/api/v1/ok", "/api/v1/info", "/api/v1/openapi.json"])
      expect(await statusOf(url + path), path).toBe(200);
    for (const path of ["/", "/info", "/openapi.json", "/api", "/api/v1x/ok", "/api/v1/nothing"])
      expect(await statusOf(url + path), path).toBe(404);
    const document = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as object;
    expect(document).toMatchObject({ servers: [{ url: "/api/v1" }], paths: { "/ok": {} } });

    const page = await (await fetch(`${url}/api/v1/docs`)).text();
    const loads = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path);
    expect(loads).toHaveLength(4);
    for (const path of loads) expect(await statusOf(`${url}${path}`), path).toBe(200);

    const answer = await post(`${url}/api/v1/runs?a=b`, { assistant_id: "echo" });
    // SDKs put the path after the address that they were given, which holds the prefix.
    expect(answer.headers.get("content-location")).toBe(`/runs/${runs.accepted[0]?.runId}`);
  });

  test("is the environment's before the file's, and asks for keys as ever", async () => {
    const environment = { MOUNT_PREFIX: "/mine", API_KEY_HASHES: key };
    const { url } = await start({ environment, http: { mount_prefix: "/files" } });
    expect(await statusOf(`${url}/mine/info`)).toBe(200);
    expect(await statusOf(`${url}/files/info`)).toBe(404);
    expect((await post(`${url}/mine/assistants/search`)).status).toBe(401);
    expect((await post(`${url}/mine/assistants/search`, {}, { "x-api-key": "key" })).status).toBe(200);
  });
});

describe("headers that runs find in configurable", () => {
  const configurableOf = async (at: Started, headers: Record<string, string>, configurable = {}) => {
    await post(`${at.url}/runs`, { assistant_id: "echo", config: { configurable } }, headers);
    return at.runs.accepted.at(-1)?.payload.config?.configurable;
  };

  test("are none unless the project asks for some", async () => {
    const at = await start();
    expect(await configurableOf(at, { "x-user-id": "ada" })).not.toHaveProperty("x-user-id");
  });

  test("are those that it asks for, whatever the body says of them", async () => {
    const at = await start({
      http: { configurable_headers: { includes: ["X-User-Id", "x-team-*", "__*"], excludes: ["x-team-secret"] } },
    });
    const headers = { "x-user-id": "ada", "x-team-a": "1", "x-team-secret": "2", "x-other": "3", __pregel: "4" };
    const configurable = await configurableOf(at, headers, { "x-user-id": "eve", model: "small" });
    expect(configurable).toMatchObject({ "x-user-id": "ada", "x-team-a": "1", model: "small" });
    for (const name of ["x-team-secret", "x-other", "__pregel"]) expect(configurable).not.toHaveProperty(name);
    await post(`${at.url}/runs/batch`, [{ assistant_id: "echo" }], headers);
    expect(at.runs.accepted.at(-1)?.payload.config?.configurable).toMatchObject({ "x-user-id": "ada" });
  });

  test("are secrets only by their very names", () => {
    const headers = { authorization: "Bearer x", cookie: "a=b", "x-api-key": "k", "x-a": "1" };
    const chosen = (includes: string[], excludes: string[] = []) => headerChooser({ includes, excludes })(headers);
    expect(chosen(["*"])).toEqual({ "x-a": "1" });
    expect(chosen(["x-*", "auth*"])).toEqual({ "x-a": "1" });
    expect(chosen(["x-api-key", "cookie"], ["cookie"])).toEqual({ "x-api-key": "k" });
    expect(chosen(["x.a", "x-a+"])).toEqual({});
  });
});

describe("CORS of langgraph.json", () => {
  /** `fetch` sends no Origin of the caller's. */
  const ask = (url: string, origin: string, method = "OPTIONS") =>
    new Promise<Record<string, string | string[] | undefined>>((resolve, reject) => {
      const headers = { origin, "access-control-request-headers": "x-mine" };
      request(`${url}/ok`, { method, headers, agent: false }, (response) => {
        response.resume();
        resolve(response.headers);
      })
        .on("error", reject)
        .end();
    });
  const allowed = async (url: string, origin: string) =>
    (await ask(url, origin))["access-control-allow-origin"] as string | undefined;

  test("is added to that of the environment", async () => {
    const cors = { allow_origins: ["https://a.example"], allow_origin_regex: "https://.*\\.team\\.example" };
    const { url } = await start({ environment: { CORS_ALLOW_ORIGINS: "https://b.example" }, http: { cors } });
    for (const origin of ["https://a.example", "https://b.example", "https://x.team.example"])
      expect(await allowed(url, origin)).toBe(origin);
    for (const origin of ["https://c.example", "https://x.team.example.evil.example", "https://team.example"])
      expect(await allowed(url, origin)).toBeUndefined();
  });

  test("says for what", async () => {
    const { url } = await start({
      http: {
        cors: {
          ...{ allow_origins: ["https://a.example"], allow_methods: ["get", "POST"], allow_headers: ["x-api-key"] },
          ...{ allow_credentials: true, expose_headers: ["x-more"], max_age: 5 },
        },
      },
    });
    expect(await ask(url, "https://a.example")).toMatchObject({
      ...{ "access-control-allow-methods": "GET, POST", "access-control-allow-headers": "x-api-key" },
      ...{ "access-control-allow-credentials": "true", "access-control-max-age": "5", vary: "Origin" },
      "access-control-expose-headers": expect.stringMatching(/^content-location, .*, x-more$/),
    });
  });

  test("lets nobody send cookies from everywhere", async () => {
    const cors = { allow_origins: ["https://a.example"], allow_credentials: true };
    const both = start({ environment: { CORS_ALLOW_ORIGINS: "*" }, http: { cors } });
    await expect(both).rejects.toThrow("http.cors.allow_credentials must not be true where CORS_ALLOW_ORIGINS is *");
  });
});

test("threads without a time to live get the project's", async () => {
  const { url, threads } = await start({ threadTtl: { strategy: "keep_latest", ms: 60_000 } });
  await post(`${url}/threads`);
  await post(`${url}/threads`, { ttl: { ttl: 2, strategy: "delete" } });
  expect([...threads.records.values()].map(({ ttl }) => ttl)).toEqual([
    { strategy: "keep_latest", ms: 60_000 },
    { strategy: "delete", ms: 120_000 },
  ]);
});
