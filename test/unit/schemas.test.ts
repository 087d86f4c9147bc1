import { cp, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readProject } from "../../app/graphs/config.js";
import {
  BUILT_SCHEMAS,
  type SchemaSource,
  type SchemaSourceOptions,
  startSchemaSource,
} from "../../app/graphs/schemaSource.js";
import type { GraphSchemas } from "../../app/graphs/schemas.js";
import { builtApp } from "../support/build.js";
import { silent } from "../support/core.js";

const root = join(import.meta.dirname, "../..");

const GRAPHS = `
import { Annotation, MessagesAnnotation, entrypoint, MessagesValue, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { z } from "zod";
const one = (state, more) => new StateGraph(state, more).addNode("one", () => ({})).addEdge(START, "one");
console.log("on standard output, as projects do");

const Zod = z.object({ count: z.number().describe("how many"), label: z.string().optional() });
export const zod = one(Zod, z.object({ tone: z.enum(["low", "high"]) })).compile();
export const described = one(new StateSchema({ messages: MessagesValue, topic: z.string() })).compile();
export const parts = new StateGraph({ state: Zod, input: z.object({ ask: z.string() }), output: z.object({ label: z.string() }) })
  .addNode("one", () => ({})).addEdge(START, "one").compile();
const Names = Annotation.Root({ ...MessagesAnnotation.spec, topic: Annotation() });
export const names = one(Names).compile();
export const parent = new StateGraph(Names).addNode("child", zod).addEdge(START, "child").compile();
export const functional = entrypoint({ name: "functional" }, async () => "x");
export const choosy = (config) => { if (!config.configurable.model) throw new Error("which model?"); return zod; };
export const strange = one(z.object({ when: z.date(), made: z.string().transform((text) => text.length) })).compile();
`;
const IDS = ["zod", "described", "parts", "names", "parent", "functional", "choosy", "strange"];

let folder: string;
let cache: string;

async function makeProject(): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), "schemas-"));
  cache = join(folder, ".cache");
  await writeFile(join(folder, "package.json"), `{"type": "module"}`);
  await writeFile(join(folder, "graphs.js"), GRAPHS);
  const graphs = Object.fromEntries(IDS.map((id) => [id, `./graphs.js:${id}`]));
  await writeFile(join(folder, "langgraph.json"), JSON.stringify({ graphs }));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}
const removeProject = () => rm(folder, { recursive: true });

const sources: SchemaSource[] = [];
afterAll(() => {
  for (const started of sources) started.close();
});

function source(more: Partial<SchemaSourceOptions> = {}) {
  const project = readProject(join(folder, "langgraph.json"));
  const main = join(builtApp(), "main.js");
  const started = startSchemaSource({ project, main, log: silent, folder: cache, waitMs: 60_000, ...more });
  sources.push(started);
  return started;
}

/** Whoever would start a process for them finds none. */
const withoutMain = { main: "/nowhere/main.js" };

async function schemasOf(id: string, from: SchemaSource = source()): Promise<GraphSchemas> {
  const found = await from.of(id);
  if (!found || found === "pending") expect.fail(`no schemas of ${id}: ${found}`);
  return found;
}

describe("a graph tells", () => {
  let from: SchemaSource;
  beforeAll(async () => {
    await makeProject();
    from = source();
  });
  afterAll(removeProject);

  test("what zod and StateSchema say of its state, its input, its output and its context", async () => {
    expect((await schemasOf("zod", from)).schemas).toMatchObject({
      state: {
        type: "object",
        properties: { count: { type: "number", description: "how many" } },
        required: ["count"],
      },
      input: { type: "object", properties: { count: { type: "number" }, label: { type: "string" } } },
      output: { type: "object", required: ["count"] },
      context: { properties: { tone: { enum: ["low", "high"] } } },
    });
    expect((await schemasOf("zod", from)).schemas.input).not.toHaveProperty("required");
    expect((await schemasOf("described", from)).schemas).toMatchObject({
      state: { properties: { messages: { langgraph_type: "messages" }, topic: { type: "string" } } },
      context: null,
    });
    expect((await schemasOf("parts", from)).schemas).toMatchObject({
      input: { properties: { ask: { type: "string" } } },
      output: { properties: { label: { type: "string" } } },
    });
  });

  test("the names of what Annotation declares, and which are messages", async () => {
    const shape = {
      type: "object",
      properties: { messages: { type: "array", langgraph_type: "messages" }, topic: {} },
    };
    const { schemas } = await schemasOf("names", from);
    expect(schemas).toMatchObject({ state: shape, input: shape, output: shape, context: null });
  });

  test("its subgraphs' schemas", async () => {
    const { subgraphs } = await schemasOf("parent", from);
    expect(subgraphs).toMatchObject({ child: { state: { properties: { count: { type: "number" } } } } });
  });

  test("nothing where nothing is described, and the others are told all the same", async () => {
    expect((await schemasOf("functional", from)).schemas).toEqual({
      input: null,
      output: null,
      state: null,
      context: null,
    });
    expect(await from.of("choosy")).toBeUndefined();
    expect(await from.of("toString")).toBeUndefined();
    expect((await schemasOf("strange", from)).schemas).toMatchObject({ context: null });
  });
});

describe("they are read", () => {
  beforeEach(makeProject);
  afterEach(removeProject);

  test("once for the same code, by a process of their own", async () => {
    const read = await schemasOf("zod");
    expect(await schemasOf("zod", source(withoutMain))).toEqual(read);

    await writeFile(join(folder, "graphs.js"), GRAPHS.replace("how many", "how much"));
    expect(await source(withoutMain).of("zod")).toBeUndefined();
    expect(await schemasOf("zod")).toMatchObject({
      schemas: { state: { properties: { count: { description: "how much" } } } },
    });
  });

  test("from where the image's build has left them", async () => {
    const read = await schemasOf("zod");
    const [kept = "", ...others] = await readdir(cache);
    expect(others).toEqual([]);
    await cp(join(cache, kept), join(folder, BUILT_SCHEMAS));
    const elsewhere = { folder: join(folder, ".nowhere") };
    expect(await schemasOf("zod", source({ ...withoutMain, ...elsewhere }))).toEqual(read);
  });

  test("while a request waits for so long and no longer", async () => {
    expect(await source({ waitMs: 1 }).of("zod")).toBe("pending");
  });

  test("or not, where the project doesn't load: then no graph tells them", async () => {
    await writeFile(join(folder, "graphs.js"), "throw new Error('no')");
    expect(await source().of("zod")).toBeUndefined();
  });
});
