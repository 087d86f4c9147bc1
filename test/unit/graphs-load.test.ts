import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import pino from "pino";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createGraphStore } from "../../app/data/store/graphStore.js";
import { ProjectError, readProject } from "../../app/graphs/config.js";
import { type Graph, type GraphConfig, type Graphs, loadGraphs, withCheckpointer } from "../../app/graphs/load.js";
import { interruptsOf, threadStatusOf } from "../../app/graphs/state.js";
import { builtApp } from "../support/build.js";
import { installProject } from "../support/projects/install.js";
import { invokeInNode } from "../support/projects/invoke.js";

const log = pino({ level: "silent" });
const INSTALL_MS = 180_000;

const load = (file: string) => loadGraphs(readProject(file), log);
const thread = (id: string, configurable = {}): GraphConfig => ({ configurable: { thread_id: id, ...configurable } });

async function chunks(graph: Graph, input: unknown, options: GraphConfig): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const chunk of await graph.stream(input, { streamMode: ["values"], ...options })) all.push(chunk);
  return all;
}

describe.each(["oldest", "newest"] as const)("a project on the %s LangGraph", (name) => {
  let folder: string;
  let graphs: Graphs;

  beforeAll(async () => {
    folder = await installProject(name);
    graphs = await load(join(folder, "langgraph.json"));
  }, INSTALL_MS);

  test("has the graphs and descriptions of its langgraph.json", () => {
    expect(graphs.ids).toEqual(["typed", "memory", "factory", "builder", "functional", "wrapped", "remembers"]);
    expect(graphs.has("typed")).toBe(true);
    expect(graphs.has("other")).toBe(false);
    expect(graphs.describe("typed")).toBe("TypeScript with a subgraph that asks");
    expect(graphs.describe("memory")).toBeNull();
    expect(graphs.runtime.version).toBe(name === "oldest" ? "1.4.0" : "1.7.3");
  });

  test("its env is loaded, and replaces nothing that is set", async () => {
    const graph = withCheckpointer(await graphs.get("memory"), undefined);
    expect(await graph.invoke({})).toEqual({ seen: ["hello"] });
    expect(process.env.PATH).not.toBe("must not replace what is set");
  });

  test("a TypeScript graph streams, interrupts in its subgraph, and goes on with a Command", async () => {
    const graph = withCheckpointer(await graphs.get("typed"), new MemorySaver());
    const config = thread("one");
    const streamed = await chunks(graph, { count: 1 }, { ...config, streamMode: ["updates"], subgraphs: true });
    expect(streamed[0]).toEqual([[], "updates", { increase: { count: 2 } }]);

    const stopped = await graph.getState(config, { subgraphs: true });
    expect(threadStatusOf(stopped)).toBe("interrupted");
    expect(Object.values(interruptsOf(stopped)).flat()).toMatchObject([{ value: { question: "how many?" } }]);

    await graph.invoke(new graphs.runtime.Command({ resume: "seven" }), config);
    const ended = await graph.getState(config);
    expect(ended.values).toEqual({ count: 2, answer: "seven" });
    expect(threadStatusOf(ended)).toBe("idle");
    expect(interruptsOf(ended)).toEqual({});
  });

  test("a factory makes a graph for each configuration, also one that is not compiled", async () => {
    const made = await graphs.get("factory", thread("a", { name: "Ada" }));
    expect(await made.invoke({})).toMatchObject({ answer: "made for Ada" });
    expect(await (await graphs.get("factory")).invoke({})).toMatchObject({ answer: "made for nobody" });
    await expect(graphs.get("factory", thread("a", { name: "refused" }))).rejects.toThrow("no graph for this name");
  });

  test("a builder that was not compiled, as the default export, and a functional workflow run", async () => {
    expect(await (await graphs.get("builder")).invoke({ count: 4 })).toEqual({ count: 8 });
    const workflow = withCheckpointer(await graphs.get("functional"), new MemorySaver());
    await workflow.invoke({ count: 1 }, thread("w"));
    expect(threadStatusOf(await workflow.getState(thread("w")))).toBe("interrupted");
    const answer = await workflow.invoke(new graphs.runtime.Command({ resume: true }), thread("w"));
    expect(answer).toEqual({ count: 2, answer: true });
  });

  test("the graph inside an agent of langchain's is the one that runs", async () => {
    const graph = withCheckpointer(await graphs.get("wrapped"), undefined);
    expect(await graph.invoke({})).toEqual({ seen: ["hello"] });
  });

  test("a drain stops a run between two steps, and the run goes on from there", async () => {
    const graph = withCheckpointer(await graphs.get("typed"), new MemorySaver());
    const control = new graphs.runtime.RunControl();
    const first = async () => {
      const stream = await graph.stream({ count: 1 }, { ...thread("d"), streamMode: ["tasks"], control });
      for await (const _ of stream) control.requestDrain("SIGTERM");
    };
    const error = await first().catch((reason: unknown) => reason);
    expect(graphs.runtime.isDrained(error)).toBe(true);
    expect(graphs.runtime.isDrained(new Error("boom"))).toBe(false);
    expect((await graph.getState(thread("d"))).next).toEqual(["child"]);

    await graph.invoke(null, thread("d"));
    expect(Object.values(interruptsOf(await graph.getState(thread("d"))))).toHaveLength(1);
  });

  test("runs side by side each write with their own checkpointer, and the user's own gets nothing", async () => {
    const shared = await graphs.get("memory");
    const savers = Array.from({ length: 20 }, () => new MemorySaver());
    await Promise.all(savers.map((saver, index) => withCheckpointer(shared, saver).invoke({}, thread(`t${index}`))));
    for (const [index, saver] of savers.entries()) expect(Object.keys(saver.storage)).toEqual([`t${index}`]);

    await withCheckpointer(shared, undefined).invoke({}, thread("stateless"));
    const own = shared as Graph & { checkpointer: MemorySaver };
    expect(Object.keys(own.checkpointer.storage)).toEqual([]);
  });

  test("a graph that was compiled without a store gets the one that it is handed", async () => {
    const stored = new Map<string, object>();
    const store = createGraphStore(graphs.runtime, {
      put: async (namespace, key, value) => void stored.set([...namespace, key].join(), value),
      get: async (namespace, key) => {
        const value = stored.get([...namespace, key].join());
        const at = new Date();
        return value && { namespace: [...namespace], key, value: { ...value }, createdAt: at, updatedAt: at };
      },
      ...{ delete: async () => {}, search: async () => [], namespaces: async () => [] },
    });
    const shared = await graphs.get("remembers");
    for (const runs of [0, 1])
      expect(await withCheckpointer(shared, undefined, store).invoke({ runs: null })).toEqual({ runs });
    expect(stored).toEqual(new Map([["runs,all", { runs: 2 }]]));
    expect(shared.store).toBeUndefined();
  });

  test("a graph without a checkpointer takes none from the caller's configuration either", async () => {
    const foreign = new MemorySaver();
    const graph = withCheckpointer(await graphs.get("memory"), undefined);
    await graph.invoke({}, thread("x", { __pregel_checkpointer: foreign }));
    expect(foreign.storage).toEqual({});
  });

  test("a view keeps what streams as protocol events and the settings of withConfig", async () => {
    const shared = (await graphs.get("typed")) as Graph & { withConfig(config: object): Graph };
    const graph = withCheckpointer(shared.withConfig({ tags: ["mine"], recursionLimit: 1 }), new MemorySaver());
    await expect(graph.invoke({ count: 1 }, thread("limit"))).rejects.toThrow("Recursion limit of 1");

    const whole = withCheckpointer(shared, new MemorySaver()) as unknown as {
      streamEvents(input: unknown, options: object): Promise<AsyncIterable<{ method: string }>>;
    };
    const methods = new Set<string>();
    for await (const event of await whole.streamEvents({ count: 1 }, { ...thread("v3"), version: "v3" }))
      methods.add(event.method);
    expect(methods).toContain("values");
  });

  test("a role compiles the project's TypeScript as it loads it", async () => {
    const invoked = await invokeInNode(builtApp(), join(folder, "langgraph.json"), "factory", {});
    expect(invoked).toMatchObject({ output: { answer: "made for nobody" }, module: "esm", copies: 1 });
  });

  test("TypeScript that becomes CommonJS runs, with one copy of LangGraph", async () => {
    const invoked = await invokeInNode(builtApp(), join(folder, "commonjs/langgraph.json"), "old", { answer: "yes" });
    expect(invoked).toMatchObject({ output: { answer: "yes!" }, module: "commonjs", copies: 1 });
  });

  test("compiled JavaScript is taken where the TypeScript is not there", async () => {
    const project = await load(join(folder, "compiled/langgraph.json"));
    expect(await withCheckpointer(await project.get("agent"), undefined).invoke({})).toEqual({ seen: ["hello"] });
  });

  test.each([
    [
      "throws.json",
      /graphs\.unlucky: \.\/throws\.mjs:graph failed to load: TypeError: the database address is missing/,
    ],
    ["no-export.json", /graphs\.memory: \.\/memory\.mjs:grpah has no export "grpah"; it exports graph, saver, wrapped/],
    ["no-graph.json", /graphs\.notAGraph: \.\/values\.mjs:settings is not a graph/],
  ])("%s is refused with the graph's name", async (file, message) => {
    await expect(load(join(folder, file))).rejects.toThrow(message);
    await expect(load(join(folder, file))).rejects.toBeInstanceOf(ProjectError);
  });

  test("a factory that returns no graph is named when it is called", async () => {
    const project = await load(join(folder, "nothing.json"));
    await expect(project.get("empty")).rejects.toThrow(/graphs\.empty.*returned no graph/);
    await expect(project.get("other")).rejects.toThrow("no graph has the id other");
  });
});

describe("the project's LangGraph", () => {
  test("that is not installed is asked for", async () => {
    const folder = project();
    await expect(load(join(folder, "langgraph.json"))).rejects.toThrow(
      `@langchain/langgraph is not installed in ${folder}; run \`npm install @langchain/langgraph\` there`,
    );
  });

  test.each(["1.3.7", "0.4.9", "2.0.0", "1.4.0-rc.1"])("of version %s is refused", async (version) => {
    const folder = await projectOn(version);
    await expect(load(join(folder, "langgraph.json"))).rejects.toThrow(
      `${join(folder, "node_modules/@langchain/langgraph")} is @langchain/langgraph ${version}; Switchyard needs >= 1.4.0 < 2`,
    );
  });

  function project(): string {
    const folder = mkdtempSync(join(tmpdir(), "project-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "langgraph.json"), '{"graphs": {"agent": "./agent.mjs:graph"}}');
    writeFileSync(join(folder, "agent.mjs"), "export const graph = 1;");
    return folder;
  }

  async function projectOn(version: string): Promise<string> {
    const folder = project();
    const root = join(folder, "node_modules/@langchain/langgraph");
    await mkdir(root, { recursive: true });
    await writeFile(join(root, "package.json"), JSON.stringify({ version }));
    return folder;
  }
});
