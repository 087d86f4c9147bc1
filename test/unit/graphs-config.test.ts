import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemAssistantId } from "../../app/graphs/assistants.js";
import { ProjectError, readProject } from "../../app/graphs/config.js";

/** A folder with a langgraph.json and other files; returns the path of the first. */
function project(config: unknown, files: Record<string, string> = { "agent.ts": "", "tool.mjs": "" }): string {
  const folder = mkdtempSync(join(tmpdir(), "config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "langgraph.json");
  writeFileSync(file, typeof config === "string" ? config : JSON.stringify(config));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return file;
}

const agent = "./agent.ts:graph";

test("graphs are named by a path, or by a path with a description", () => {
  const file = project({ graphs: { one: agent, two: { path: "tool.mjs", description: "does it" } } });
  expect(readProject(file).graphs).toEqual([
    { id: "one", named: agent, file: join(file, "../agent.ts"), exportName: "graph", description: null },
    {
      id: "two",
      named: "tool.mjs",
      file: join(file, "../tool.mjs"),
      exportName: "default",
      description: "does it",
    },
  ]);
});

test("the compiled file beside a TypeScript that is not there is taken, and the TypeScript where both are", () => {
  const only = project({ graphs: { a: "./a.ts:graph", b: "./b.mts:graph" } }, { "a.js": "", "b.mjs": "" });
  expect(readProject(only).graphs.map(({ file }) => file)).toEqual([join(only, "../a.js"), join(only, "../b.mjs")]);
  const both = project({ graphs: { a: "./a.ts:graph" } }, { "a.js": "", "a.ts": "" });
  expect(readProject(both).graphs[0]?.file).toBe(join(both, "../a.ts"));
});

test("env is a map, or a file in the form of .env", () => {
  const graphs = { one: agent };
  expect(readProject(project({ graphs, env: { A: "1" } })).env).toEqual({ A: "1" });
  const files = { "agent.ts": "", ".env": "# keys\nA=1\nexport B='two words'\nC=\n" };
  expect(readProject(project({ graphs, env: ".env" }, files)).env).toEqual({ A: "1", B: "two words", C: "" });
});

test("keys without effect are named, once each", () => {
  const file = project({
    $schema: "https://example.com/schema.json",
    graphs: { one: agent },
    env: ["SURELY_NOT_SET"],
    node_version: "12",
    python_version: "3.12",
    dockerfile_lines: [],
    store: { index: { embed: "openai:text-embedding-3-small", dims: 1536 } },
  });
  const [node] = process.versions.node.split(".");
  expect(readProject(file).warnings).toEqual([
    `${file}: "python_version" is for Python graphs and has no effect`,
    `${file}: "dockerfile_lines" is for other image builds and has no effect`,
    `${file}: node_version is 12, this is Node.js ${node}`,
    `${file}: env names SURELY_NOT_SET, which is not set`,
    `${file}: "store.index" is not supported: a search with a query finds the latest items, not the nearest in meaning`,
  ]);
});

test("store items live as long as it says, without end if it says nothing", () => {
  const timeToLive = (store?: object) => readProject(project({ graphs: { one: agent }, store })).timeToLive;
  expect(timeToLive()).toEqual({ defaultMs: undefined, refreshOnRead: true });
  expect(timeToLive({ ttl: { default_ttl: 0.5, refresh_on_read: false, sweep_interval_minutes: 5 } })).toEqual({
    defaultMs: 30_000,
    refreshOnRead: false,
  });
});

test("a project that expects rules about who may read what is refused, not run without them", () => {
  const file = project({ graphs: { one: agent }, auth: { path: "./auth.ts:auth" } });
  expect(() => readProject(file)).toThrow(`${file}: "auth" is not supported: its rules would not be applied`);
});

test.each([
  ["{", "is not valid JSON: "],
  ["[]", 'must be an object such as {"graphs": {"agent": "./agent.ts:graph"}}'],
  [{}, ": graphs must be a map of graph ids to files"],
  [{ graphs: {} }, ': graphs names no graph; add {"agent": "./agent.ts:graph"}'],
  [{ graphs: { "": agent } }, ": graphs. holds an empty graph id"],
  [
    { graphs: { one: 5 } },
    ': graphs.one must be "./file.ts:export" or {"path": "./file.ts:export", "description": "…"}',
  ],
  [{ graphs: { one: { file: agent } } }, ': graphs.one must be "./file.ts:export" or {"path"'],
  [{ graphs: { one: "./agent.ts:" } }, ": graphs.one must be "],
  [
    { graphs: { one: "./agent.py:graph" } },
    ": graphs.one is the Python file ./agent.py; Switchyard runs graphs of LangGraph.js",
  ],
  [
    { graphs: { one: "./agent:graph" } },
    ": graphs.one names ./agent; it must end with one of .ts, .tsx, .mts, .cts, .js",
  ],
  [{ graphs: { one: "./gone.ts:graph" } }, ": graphs.one names ./gone.ts, which is not there (looked for "],
  [{ graphs: { one: agent }, env: 5 }, ': env must be a file such as ".env", or a map of names to texts'],
  [{ graphs: { one: agent }, env: { A: 5 } }, ': env must be a file such as ".env", or a map of names to texts'],
  [{ graphs: { one: agent }, env: ".env" }, ": env names .env, which is not there (looked for "],
  [
    { graphs: { one: agent }, store: { ttl: { default_ttl: 0 } } },
    ": store.ttl.default_ttl must be a number of minutes above 0",
  ],
  [{ graphs: { one: agent }, store: "redis" }, ": store must be an object such as"],
  [{ graphs: { one: agent }, node_version: 20 }, ': node_version must be a major version of Node.js such as "20"'],
])("%j is refused in one sentence that names file and key", (config, message) => {
  const file = project(config);
  expect(() => readProject(file)).toThrow(ProjectError);
  expect(() => readProject(file)).toThrow(`${file}${message.startsWith(":") ? "" : " "}${message}`);
});

test("a langgraph.json that is not there is asked for", () => {
  expect(() => readProject("/nowhere/langgraph.json")).toThrow(
    "/nowhere/langgraph.json is not there; name your langgraph.json with --config or LANGGRAPH_CONFIG_FILE",
  );
});

test("system assistants have the ids that clients know", () => {
  expect(systemAssistantId("chat")).toBe("eb6db400-e3c8-5d06-a834-015cb89efe69");
  expect(systemAssistantId("agent")).toBe("fe096781-5601-53d2-b2f6-0d3403f7e9ca");
});
