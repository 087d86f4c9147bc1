/** The keys of langgraph.json beyond the graphs, and the variables that take their places. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { webhookHeaders } from "../../app/graphs/config/webhooks.js";
import { ProjectError, readProject } from "../../app/graphs/config.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { readSettings } from "../../app/settings.js";
import { runConfig } from "../../app/worker/runConfig.js";

/** As a header names what is put in. */
const variable = (name: string) => `\${{ ${name} }}`;

const graphs = { one: "./agent.mjs:graph" };

/** @param keys beside `graphs`; none: there is no langgraph.json @returns its path */
function project(keys?: object): string {
  const folder = mkdtempSync(join(tmpdir(), "keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "langgraph.json");
  writeFileSync(join(folder, "agent.mjs"), "");
  if (keys) writeFileSync(file, JSON.stringify({ graphs, ...keys }));
  return file;
}
const read = (keys: object, environment: Record<string, string> = {}) => readProject(project(keys), environment);
const warningsOf = (keys: object, environment?: Record<string, string>) =>
  read(keys, environment).warnings.map((text) => text.replace(/^.*langgraph\.json: /, ""));

test("a project that says nothing is served whole, to no other origin, and keeps its threads", () => {
  expect(read({})).toMatchObject({
    threadTtl: undefined,
    http: {
      ...{ disabled: new Set(), mountPrefix: "", configurableHeaders: { includes: [], excludes: [] } },
      cors: { origins: [], originPattern: undefined, credentials: false },
    },
    webhooks: { headers: {}, requireHttps: false, allowedDomains: [], allowedPorts: [], disableLoopback: true },
    warnings: [],
  });
});

test("null is what is not given", () => {
  const none = { env: null, node_version: null, store: null, checkpointer: null, http: null, webhooks: null };
  expect(read({ ...none, auth: null, ui: null }).warnings).toEqual([]);
});

describe("checkpointer", () => {
  test("gives threads a time to live", () => {
    const ttl = { strategy: "keep_latest", default_ttl: 1.5, sweep_interval_minutes: 5, sweep_limit: 1000 };
    expect(read({ checkpointer: { backend: "default", ttl } }).threadTtl).toEqual({
      strategy: "keep_latest",
      ms: 90_000,
    });
    expect(read({ checkpointer: { ttl: { default_ttl: 1 } } }).threadTtl).toEqual({ strategy: "delete", ms: 60_000 });
    expect(read({ checkpointer: { ttl: { strategy: "delete" } } }).threadTtl).toBeUndefined();
  });

  test("that keeps threads elsewhere is refused; Python's serializer is named", () => {
    for (const key of ["backend", "path"])
      expect(() => read({ checkpointer: { [key]: "mongo" } })).toThrow(
        `langgraph.json: checkpointer.${key} is not supported: threads are kept in Redis`,
      );
    expect(warningsOf({ checkpointer: { serde: { pickle_fallback: true } } })).toEqual([
      '"checkpointer.serde" is for Python graphs and has no effect',
    ]);
  });
});

test("what has no effect in http is named, and what would be missing is refused", () => {
  const http = {
    ...{ middleware_order: "auth_first", enable_custom_route_auth: true, disable_mcp: true, surprise: 1 },
    logging_headers: { includes: ["x-a"], excludes: ["x-b"] },
    cors: { allow_origin: ["https://chat.example.com"] },
  };
  expect(warningsOf({ http, surprise: {} })).toEqual([
    '"surprise" is not supported and has no effect',
    '"http.surprise" is not supported and has no effect',
    '"http.cors.allow_origin" is not supported and has no effect',
    '"http.middleware_order" is for routes of a project\'s own, which are not supported, and has no effect',
    '"http.enable_custom_route_auth" is for routes of a project\'s own, which are not supported, and has no effect',
    '"http.logging_headers" has no effect: headers of requests are never logged',
  ]);
  expect(() => read({ http: { app: "./app.ts:app" } })).toThrow(
    "http.app is not supported: its routes would be missing",
  );
});

test("ui names files of components, and packages that pages bring; its variables take the keys' places", () => {
  const keys = { ui: { one: "./ui.tsx" }, ui_config: { shared: ["three"] } };
  expect(read(keys)).toMatchObject({ ui: { files: { one: "./ui.tsx" }, shared: ["three"] }, warnings: [] });
  expect(read(keys, { LANGGRAPH_UI: '{"two": "./a.jsx"}', LANGGRAPH_UI_CONFIG: "{}" }).ui).toEqual({
    ...{ origin: "LANGGRAPH_UI", files: { two: "./a.jsx" }, shared: [] },
  });
});

test("header lists may be named as the platform's earlier documents have them", () => {
  const { http } = read({ http: { configurable_headers: { include: ["X-A"], exclude: ["x-b"] } } });
  expect(http.configurableHeaders).toEqual({ includes: ["x-a"], excludes: ["x-b"] });
});

test.each([
  [{ ui: { "../one": "./ui.tsx" } }, "ui.../one must have names of letters"],
  [{ ui: { one: "./ui.css" } }, "ui.one must be a file that ends with .tsx"],
  [{ ui: ["./ui.tsx"] }, "ui must be a map of graph ids to files"],
  [{ ui_config: { shared: "react" } }, 'ui_config.shared must be an object such as {"shared": '],
  [{ http: [] }, 'http must be an object such as {"disable_store": true}'],
  [{ http: { disable_runs: "yes" } }, "http.disable_runs must be true or false"],
  [{ http: { mount_prefix: "api" } }, "http.mount_prefix must be a path such as /api"],
  [{ http: { mount_prefix: "/a?b" } }, "http.mount_prefix must be a path such as /api"],
  [{ http: { configurable_headers: { includes: ["x y"] } } }, "http.configurable_headers.includes.0 must be a list of"],
  [{ http: { cors: { allow_origins: "https://a.example" } } }, "http.cors.allow_origins must be a list of origins"],
  [{ http: { cors: { allow_origin_regex: "(" } } }, "http.cors.allow_origin_regex is no regular expression"],
  [{ http: { cors: { max_age: -1 } } }, "http.cors.max_age must be a whole number of seconds"],
  [
    { http: { cors: { allow_origins: ["*"], allow_credentials: true } } },
    "http.cors.allow_credentials must not be true where any origin may ask: name the origins",
  ],
  [
    { http: { cors: { allow_origin_regex: "https?://.*", allow_credentials: true } } },
    "http.cors.allow_credentials must not be true where any origin may ask: name the origins",
  ],
  [{ checkpointer: { ttl: { default_ttl: 0 } } }, "checkpointer.ttl.default_ttl must be a number of minutes above 0"],
  [{ checkpointer: { ttl: { strategy: "archive" } } }, "checkpointer.ttl.strategy must be delete or keep_latest"],
  [
    { webhooks: { url: { allowed_domains: ["https://a.example"] } } },
    "webhooks.url.allowed_domains.0 must be a host such",
  ],
  [{ webhooks: { url: { allowed_ports: [0] } } }, "webhooks.url.allowed_ports.0 must be a port, 1 to 65535"],
  [
    { webhooks: { url: { allowed_domain: ["hooks.example.com"] } } },
    'webhooks.url has no key "allowed_domain"; it may have require_https, allowed_domains, allowed_ports',
  ],
  [
    { http: { configurable_headers: { includes: ["x-*"], exlcudes: ["x-secret"] } } },
    'http.configurable_headers has no key "exlcudes"; it may have includes, excludes',
  ],
  [{ http: { configurable_headers: ["x-a"] } }, 'http.configurable_headers must be an object such as {"includes"'],
  [{ webhooks: { url: "https://a.example" } }, 'webhooks.url must be an object such as {"url"'],
  [{ webhooks: { env_prefix: "" } }, "webhooks.env_prefix must be what names of variables begin with"],
  [{ webhooks: { headers: { "a b": "c" } } }, "webhooks.headers.a b is no name of a header"],
  [{ webhooks: { headers: { Host: "c" } } }, "webhooks.headers.Host can't be set"],
  [
    { webhooks: { headers: { a: variable("secrets.A") } } },
    `webhooks.headers.a holds ${variable("secrets.A")}; only ${variable("env.NAME")}`,
  ],
  [
    { webhooks: { headers: { a: variable("env.OPENAI_API_KEY") } } },
    "webhooks.headers.a names OPENAI_API_KEY; only variables that begin with LG_WEBHOOK_ are put into headers",
  ],
])("%j is refused in one sentence", (keys, sentence) => {
  const file = project(keys);
  expect(() => readProject(file)).toThrow(ProjectError);
  expect(() => readProject(file)).toThrow(`${file}: ${sentence}`);
});

describe("headers of webhooks", () => {
  const headers = { authorization: `Bearer ${variable("env.LG_WEBHOOK_TOKEN")}`, "x-source": "here" };

  test("hold what the environment has", () => {
    const { webhooks } = read({ webhooks: { headers } });
    expect(webhookHeaders(webhooks, { LG_WEBHOOK_TOKEN: "t" })).toEqual({
      authorization: "Bearer t",
      "x-source": "here",
    });
    const { webhooks: own } = read({
      webhooks: { headers: { a: variable("env.MY_A").replaceAll(" ", "") }, env_prefix: "MY_" },
    });
    expect(webhookHeaders(own, { MY_A: "1" })).toEqual({ a: "1" });
  });

  test("that lack a variable, or are spoilt by one, are refused without its value", () => {
    const file = project({ webhooks: { headers } });
    const { webhooks } = readProject(file);
    expect(() => webhookHeaders(webhooks, {})).toThrow(
      `${file}: webhooks.headers.authorization needs LG_WEBHOOK_TOKEN, which is not set in the environment`,
    );
    const { webhooks: ofVariable } = readProject(file, { LANGGRAPH_WEBHOOKS: JSON.stringify({ headers }) });
    expect(() => webhookHeaders(ofVariable, {})).toThrow(/^LANGGRAPH_WEBHOOKS: webhooks\.headers\.authorization needs/);
    const spoilt = () => webhookHeaders(webhooks, { LG_WEBHOOK_TOKEN: "secret\nx: y" });
    expect(spoilt).toThrow(`${file}: webhooks.headers.authorization holds a character that no header can`);
    expect(spoilt).not.toThrow("secret");
  });

  test("with secrets for whatever address a caller names are warned of", () => {
    expect(warningsOf({ webhooks: { headers } })).toEqual([expect.stringContaining("webhooks.url.allowed_domains")]);
    expect(warningsOf({ webhooks: { headers, url: { allowed_domains: ["a.example"] } } })).toEqual([]);
  });

  test("under another name are named", () => {
    expect(warningsOf({ webhooks: { header: headers } })).toEqual([
      '"webhooks.header" is not supported and has no effect',
    ]);
  });
});

describe("variables of LangGraph's images", () => {
  test("take the places of the file's keys", () => {
    const environment = {
      LANGGRAPH_STORE: '{"ttl": {"default_ttl": 1}}',
      LANGGRAPH_HTTP: '{"disable_store": true}',
      LANGGRAPH_WEBHOOKS: '{"url": {"require_https": true}}',
      LANGGRAPH_CHECKPOINTER: '{"ttl": {"default_ttl": 2}}',
      LANGSERVE_GRAPHS: '{"two": {"path": "./agent.mjs:graph", "description": null}}',
    };
    const keys = { http: { disable_runs: true, mount_prefix: "/api" }, store: { ttl: { default_ttl: 9 } } };
    expect(read(keys, environment)).toMatchObject({
      graphs: [{ id: "two" }],
      timeToLive: { defaultMs: 60_000 },
      threadTtl: { ms: 120_000 },
      http: { disabled: new Set(["store"]), mountPrefix: "" },
      webhooks: { requireHttps: true },
    });
    expect(read(keys, { LANGGRAPH_HTTP: "null", LANGGRAPH_STORE: "" })).toMatchObject({
      timeToLive: { defaultMs: 540_000 },
      http: { disabled: new Set() },
    });
  });

  test("need no langgraph.json where they name the graphs", () => {
    const file = project();
    expect(() => readProject(file)).toThrow("is not there; name your langgraph.json with --config or");
    const [graph] = readProject(file, { LANGSERVE_GRAPHS: '{"one": "./agent.mjs:graph"}' }).graphs;
    expect(graph).toMatchObject({ id: "one", file: join(file, "../agent.mjs") });
  });

  test.each([
    [{ LANGSERVE_GRAPHS: '{"one": "./agent.py:graph"}' }, "LANGSERVE_GRAPHS: graphs.one is the Python file ./agent.py"],
    [{ LANGSERVE_GRAPHS: '{"one": 5}' }, 'LANGSERVE_GRAPHS: graphs.one must be "./file.ts:export"'],
    [{ LANGSERVE_GRAPHS: "[" }, "LANGSERVE_GRAPHS is not valid JSON"],
    [{ LANGGRAPH_HTTP: '{"app": "./a.py:app"}' }, "LANGGRAPH_HTTP: http.app is not supported"],
    [
      { LANGGRAPH_AUTH: '{"path": "./auth.ts:auth"}' },
      'LANGGRAPH_AUTH: "auth" is not supported: its rules would not be',
    ],
    [{ LANGGRAPH_ENCRYPTION: '{"path": "./e.ts:e"}' }, 'LANGGRAPH_ENCRYPTION: "encryption" is not supported: nothing'],
    [{ LANGGRAPH_AES_KEY: "0123456789abcdef" }, "LANGGRAPH_AES_KEY is not supported: nothing would be encrypted"],
    [
      { LANGGRAPH_CONFIG: '{"one": {"recursion_limit": 0}}' },
      "LANGGRAPH_CONFIG.one.recursion_limit must be a whole number above 0",
    ],
    [{ LANGGRAPH_CONFIG: '"secret' }, "LANGGRAPH_CONFIG is not valid JSON"],
  ])("%j is refused by its name", (environment, sentence) => {
    const file = project({});
    expect(() => readProject(file, environment)).toThrow(ProjectError);
    expect(() => readProject(file, environment)).toThrow(sentence);
    expect(() => readProject(file, environment)).not.toThrow(/secret|0123456789/);
  });

  test("that name graphs which are not there are warned of", () => {
    expect(warningsOf({}, { LANGGRAPH_CONFIG: '{"two": {}}' })).toEqual([
      "LANGGRAPH_CONFIG names the graph two, which is not there",
    ]);
  });

  test("configure a graph under what its assistant and the request say", () => {
    const LANGGRAPH_CONFIG = JSON.stringify({
      one: { configurable: { model: "small", pace: 1 }, recursion_limit: 7, tags: ["t"], context: { user: "a", b: 1 } },
      two: { config: { configurable: { model: "large" } }, context: { user: "c" } },
    });
    const { defaults } = read({}, { LANGGRAPH_CONFIG });
    expect(defaults.get("two")).toEqual({ config: { configurable: { model: "large" } }, context: { user: "c" } });
    const run = (payload: object) =>
      ({ runId: "r", threadId: "t", graphId: "one", metadata: {}, payload }) as unknown as ClaimedRun;
    const given = { config: { configurable: { model: "mine" }, tags: ["u"] }, context: { b: 2 } };
    expect(runConfig(run(given), defaults.get("one"))).toMatchObject({
      ...{ configurable: { model: "mine", pace: 1 }, recursionLimit: 7, tags: ["u"], context: { user: "a", b: 2 } },
    });
    expect(runConfig(run({}), defaults.get("one"))).toMatchObject({ tags: ["t"], context: { user: "a", b: 1 } });
    expect(runConfig(run({ context: { b: 2 } }), undefined)).toMatchObject({ context: { b: 2 } });
  });
});

test("settings take the names and levels of LangGraph's images", () => {
  const settings = (environment: object) => readSettings({ REDIS_URL: "redis://localhost", ...environment });
  expect(settings({ MOUNT_PREFIX: "/api/" }).mountPrefix).toBe("/api");
  expect(settings({}).mountPrefix).toBeUndefined();
  expect(() => settings({ MOUNT_PREFIX: "api" })).toThrow("MOUNT_PREFIX must be a path such as /api");
  for (const [name, level] of [
    ["INFO", "info"],
    ["Warning", "warn"],
    ["CRITICAL", "error"],
    ["debug", "debug"],
  ])
    expect(settings({ LOG_LEVEL: name }).logLevel).toBe(level);
  expect(() => settings({ LOG_LEVEL: "loud" })).toThrow("LOG_LEVEL must be one of trace, debug, info");
  expect(settings({ WEBHOOK_PRIVATE_HOSTS: "Hooks.internal, b" })).toMatchObject({
    webhookPrivateHosts: ["hooks.internal", "b"],
    webhookTimeoutSeconds: 30,
  });
});
