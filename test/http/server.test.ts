import { createHash } from "node:crypto";
import { connect } from "node:net";
import { Writable } from "node:stream";
import pino from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { bindAddress } from "../../app/auth/apiKeys.js";
import { detailOf, post, type Started, type StartOptions, startServer } from "./support.js";

const open: Started[] = [];
async function start(options?: StartOptions): Promise<Started> {
  const at = await startServer(options);
  open.push(at);
  return at;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((at) => at.close()));
});

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const RUN = "/threads/0193a0b0-0000-7000-8000-000000000001/runs/0193a0b0-0000-7000-8000-000000000002";

describe("keys", () => {
  test("let in who has one of them, in either header, and nobody else", async () => {
    const { url } = await start({ environment: { API_KEY_HASHES: `${sha256("old")},${sha256("new").toUpperCase()}` } });
    const ask = async (headers: Record<string, string>) => (await post(`${url}/assistants/search`, {}, headers)).status;
    expect(await ask({ "x-api-key": "old" })).toBe(200);
    expect(await ask({ "x-api-key": "new" })).toBe(200);
    expect(await ask({ authorization: "Bearer new" })).toBe(200);
    expect(await ask({})).toBe(401);
    expect(await ask({ "x-api-key": "" })).toBe(401);
    expect(await ask({ "x-api-key": "newer" })).toBe(401);
    expect(await ask({ "x-api-key": sha256("new") })).toBe(401);
    expect(await ask({ authorization: "Basic new" })).toBe(401);
  });

  test("that are wrong are told from none: an SDK sends one of another service, which it finds in the environment", async () => {
    const { url } = await start({ environment: { API_KEY_HASHES: sha256("key") } });
    const told = async (headers: Record<string, string>) =>
      detailOf(await post(`${url}/assistants/search`, {}, headers));
    expect(await told({})).toBe("send an API key in x-api-key");
    const wrong: Record<string, string>[] = [{ "x-api-key": "another" }, { authorization: "Bearer another" }];
    for (const headers of wrong) expect(await told(headers)).toBe("the API key is none of this deployment's");
  });

  test("are not needed to ask how the server is and what it can do, and are for what does not exist", async () => {
    const { url } = await start({
      environment: { API_KEY_HASHES: sha256("key"), CORS_ALLOW_ORIGINS: "https://a.example" },
    });
    for (const path of ["/ok", "/info", "/openapi.json"]) expect((await fetch(url + path)).status).toBe(200);
    expect((await fetch(`${url}/runs`, { method: "OPTIONS" })).status).toBe(204);
    const unknown = await fetch(`${url}/nothing`);
    expect([unknown.status, await detailOf(unknown)]).toEqual([401, expect.stringContaining("x-api-key")]);
    expect(unknown.headers.get("www-authenticate")).toBe("Bearer");
    expect((await post(`${url}/ok`)).status).toBe(401);
  });

  test("decide whether other machines may connect at all", () => {
    expect(bindAddress({ apiKeyHashes: [], allowAnonymous: false })).toBe("127.0.0.1");
    expect(bindAddress({ apiKeyHashes: [], allowAnonymous: true })).toBe("0.0.0.0");
    expect(bindAddress({ apiKeyHashes: [sha256("key")], allowAnonymous: false })).toBe("0.0.0.0");
  });
});

test("GET / says that somebody is there, to who has a key", async () => {
  const open = await start();
  expect(await (await fetch(`${open.url}/`)).json()).toEqual({ ok: true });
  const keyed = await start({ environment: { API_KEY_HASHES: sha256("key") } });
  expect((await fetch(`${keyed.url}/`)).status).toBe(401);
  expect((await fetch(`${keyed.url}/`, { headers: { "x-api-key": "key" } })).status).toBe(200);
});

describe("every answer", () => {
  test("names the server and the request, refusals too", async () => {
    const { url } = await start();
    for (const path of ["/ok", "/nothing", `${RUN}/stream`]) {
      const { headers } = await fetch(url + path);
      expect(headers.get("x-served-by")).toBe("server-1");
      expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("does not name the server where that is off", async () => {
    const { url } = await start({ environment: { SERVED_BY_HEADER: "false" } });
    expect((await fetch(`${url}/ok`)).headers.has("x-served-by")).toBe(false);
  });
});

describe("CORS", () => {
  const preflight = (url: string, origin: string) =>
    fetch(`${url}/runs/stream`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key" },
    });

  test("lets pages of named origins ask, and read where a run is", async () => {
    const { url } = await start({ environment: { CORS_ALLOW_ORIGINS: "https://a.example,https://b.example" } });
    const allowed = await preflight(url, "https://b.example");
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      "access-control-allow-origin": "https://b.example",
      "access-control-allow-headers": "x-api-key",
      "access-control-allow-methods": expect.stringContaining("POST"),
      vary: "Origin",
    });
    const answer = await fetch(`${url}/ok`, { headers: { origin: "https://a.example" } });
    expect(answer.headers.get("access-control-expose-headers")).toMatch(
      /content-location, location, x-pagination-total, x-pagination-next/,
    );
    expect(answer.headers.has("access-control-allow-credentials")).toBe(false);
    const other = await preflight(url, "https://evil.example");
    expect(other.headers.has("access-control-allow-origin")).toBe(false);
  });

  test("by default lets no other page ask", async () => {
    const { url } = await start();
    expect((await preflight(url, "https://a.example")).headers.has("access-control-allow-origin")).toBe(false);
    // A page needs no permission to send text; so text is refused.
    const text = await fetch(`${url}/runs`, { method: "POST", body: JSON.stringify({ assistant_id: "echo" }) });
    expect([text.status, await detailOf(text)]).toEqual([415, "body: send it as application/json"]);
  });
});

describe("bodies", () => {
  test("over the limit are 413, with and without a declared length", async () => {
    const { url, runs } = await start({ environment: { MAX_BODY_BYTES: "2000" } });
    const body = JSON.stringify({ assistant_id: "echo", input: "x".repeat(3000) });
    const declared = await post(`${url}/runs`, body);
    expect([declared.status, await detailOf(declared)]).toEqual([413, "body: larger than the limit of 2000 bytes"]);
    const chunks = new Blob([body]).stream();
    const headers = { "content-type": "application/json" };
    const init: RequestInit = { method: "POST", headers, body: chunks, duplex: "half" };
    expect((await fetch(`${url}/runs`, init)).status).toBe(413);
    expect(runs.accepted).toEqual([]);
  });

  test("that are no UTF-8, no JSON, or nested without end are refused", async () => {
    const { url, runs } = await start();
    const headers = { "content-type": "application/json" };
    const bytes = Buffer.from([...Buffer.from('{"assistant_id":"echo","input":"'), 0xff, ...Buffer.from('"}')]);
    const binary = await fetch(`${url}/runs`, { method: "POST", headers, body: bytes });
    expect([binary.status, await detailOf(binary)]).toEqual([400, "body: invalid UTF-8"]);
    const deep = `{"assistant_id":"echo","input":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    const nested = await post(`${url}/runs`, deep);
    expect([nested.status, await detailOf(nested)]).toEqual([422, "body: nested more than 200 deep"]);
    expect((await fetch(`${url}/runs`, { method: "POST", headers, body: "" })).status).toBe(422);
    expect(runs.accepted).toEqual([]);
  });

  test("can't reach into prototypes, and reach the worker as they came", async () => {
    const { url, runs } = await start();
    const input =
      '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"n":1.50,"s":"\\ud83d\\ude00"}';
    const body = `{"assistant_id":"echo","input":${input},"metadata":{"__proto__":{"admin":true}},"__proto__":{"input":1}}`;
    const { status } = await post(`${url}/runs`, body);
    expect(status).toBe(200);
    expect(Object.hasOwn(Object.prototype, "admin")).toBe(false);
    const [run] = runs.accepted;
    expect(JSON.stringify(run?.payload.input)).toBe(JSON.stringify(JSON.parse(input)));
    expect(run?.metadata).not.toHaveProperty("admin");
  });
});

describe("refusals", () => {
  test("are a sentence in `detail`: unknown paths, other methods, malformed paths and requests", async () => {
    const { url } = await start();
    const unknown = await fetch(`${url}/nothing/here`);
    expect([unknown.status, await detailOf(unknown)]).toEqual([404, "GET /nothing/here does not exist"]);
    const method = await fetch(`${url}/threads`, { method: "DELETE" });
    expect([method.status, await detailOf(method)]).toEqual([405, expect.stringContaining("POST")]);
    expect(method.headers.get("allow")).toBe("POST");
    const path = await fetch(`${url}/threads/%E0%A4%A`);
    expect([path.status, await detailOf(path)]).toEqual([400, "path: wrong percent-encoding"]);
    expect(await raw(url, "NOT HTTP\r\n\r\n")).toMatch(/^HTTP\/1.1 400 [\s\S]*\{"detail":"this is not HTTP"\}$/);
  });

  test.each([
    "Connection is closed.",
    "Command timed out",
    "Stream isn't writeable and enableOfflineQueue options is false",
    "LOADING Redis is loading the dataset in memory",
    "OOM command not allowed when used memory > 'maxmemory'.",
  ])("are 503 with Retry-After while Redis is away: %s", async (message) => {
    const { url, runs } = await start();
    for (const path of ["/runs", "/runs/stream", "/runs/wait"]) {
      runs.failure = new Error(message);
      const response = await post(url + path, { assistant_id: "echo" });
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await detailOf(response)).not.toContain("Redis");
    }
    expect(runs.openFollows).toBe(0);
  });

  test("are 500 for a bug, of which the log knows the stack and not the payload", async () => {
    const lines: string[] = [];
    const sink = new Writable({ write: (line, _encoding, done) => done(lines.push(String(line)) ? undefined : null) });
    const { url, runs } = await start({ log: pino(sink) });
    runs.failure = new TypeError("a bug");
    const response = await post(`${url}/runs`, { assistant_id: "echo", input: "a secret" });
    expect([response.status, await response.json()]).toEqual([500, { detail: "internal error" }]);
    const [line = ""] = lines;
    expect(JSON.parse(line)).toMatchObject({
      requestId: response.headers.get("x-request-id"),
      stack: expect.stringMatching(/^TypeError\n\s+at /),
    });
    expect(line).not.toContain("a secret");
  });
});

describe("what the server is", () => {
  test("/ok says that it serves; with check_db=1 also whether Redis answers", async () => {
    const well = await start();
    expect(await (await fetch(`${well.url}/ok?check_db=1`)).json()).toEqual({ ok: true });
    const away = await start({ redis: { ping: () => Promise.reject(new Error("Connection is closed.")) } });
    expect(await (await fetch(`${away.url}/ok`)).json()).toEqual({ ok: true });
    const response = await fetch(`${away.url}/ok?check_db=1`);
    expect([response.status, await detailOf(response)]).toEqual([500, "the database does not answer"]);
  });

  test("/ok with check_db=1 is one warning in the log while Redis is away, without a stack", async () => {
    const lines: string[] = [];
    const sink = new Writable({ write: (line, _encoding, done) => done(lines.push(String(line)) ? undefined : null) });
    const redis = { ping: () => Promise.reject(new Error("Connection is closed.")) };
    const { url } = await start({ redis, log: pino(sink) });
    expect((await fetch(`${url}/ok?check_db=1`)).status).toBe(500);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 40, msg: "the database does not answer", method: "GET" }),
    ]);
    expect(lines[0]).not.toContain("stack");
  });

  test("/info has versions and flags", async () => {
    const { url } = await start();
    expect(await (await fetch(`${url}/info`)).json()).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      langgraph_js_version: "1.7.3",
      context: "js",
      flags: { assistants: true, crons: false, langsmith: false },
    });
  });
});

function raw(url: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(request));
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("error", reject);
    socket.on("end", () => resolve(text));
  });
}
