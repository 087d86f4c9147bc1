/** `client.assistants` of the JavaScript SDK. */
import { randomUUID } from "node:crypto";
import type { Case } from "../cases.js";
import { anything, each, having, must, object, text } from "../shape.js";
import { assistant, idOf, refused } from "./support.js";

export const assistantCases: Case[] = [
  {
    name: "assistants.create, get: every field given comes back; a second one of the same id is refused or taken",
    async run({ client }) {
      const assistantId = randomUUID();
      const given = {
        ...{ graphId: "steps", assistantId, name: "Yard", description: "Two steps" },
        ...{ config: { tags: ["t"], recursion_limit: 9, configurable: { flavor: "red" } }, metadata: { team: "a" } },
        context: { user: "ada" },
      };
      const wanted = assistant({
        ...{ assistant_id: assistantId, name: "Yard", description: "Two steps", config: given.config },
        ...{ context: given.context, metadata: given.metadata },
      });
      must(await client.assistants.create(given), wanted);
      must(await client.assistants.get(assistantId), wanted);
      await refused(client.assistants.create(given), 409, /exists/);
      must(await client.assistants.create({ ...given, ifExists: "do_nothing", name: "Other" }), wanted);
    },
  },
  {
    name: "assistants.get: a graph's own, by the graph's id too; 404 for one that is not there",
    async run({ client }) {
      const own = assistant({
        ...{ assistant_id: idOf("steps"), name: "steps", description: "Two steps." },
        metadata: { created_by: "system" },
      });
      must(await client.assistants.get(idOf("steps")), own);
      must(await client.assistants.get("steps"), own);
      await refused(client.assistants.get(randomUUID()), 404, /does not exist/);
      await refused(client.assistants.create({ graphId: "nowhere" }), 404, /nowhere/);
    },
  },
  {
    name: "assistants.update, getVersions, setLatest: each change is a version, and any of them can be put in use",
    async run({ client }) {
      const { assistant_id: id } = await client.assistants.create({ graphId: "steps", metadata: { a: 1 } });
      const second = { assistant_id: id, name: "Second", metadata: { a: 1, b: 2 }, version: 2 };
      must(await client.assistants.update(id, { name: "Second", metadata: { b: 2 } }), assistant(second));
      const third = { ...second, graph_id: "told", config: { configurable: { flavor: "x" } }, version: 3 };
      must(await client.assistants.update(id, { graphId: "told", config: third.config }), assistant(third));
      const version = (more: object) => having({ assistant_id: id, created_at: text, ...more });
      must(await client.assistants.getVersions(id), [
        version({ version: 3, graph_id: "told" }),
        version({ version: 2, name: "Second" }),
        version({ version: 1, name: "Untitled", metadata: { a: 1 } }),
      ]);
      must(await client.assistants.getVersions(id, { limit: 1, offset: 1 }), [version({ version: 2 })]);
      must(await client.assistants.getVersions(id, { metadata: { b: 2 }, limit: 9 }), [
        version({ version: 3 }),
        version({ version: 2 }),
      ]);
      must(await client.assistants.setLatest(id, 2), assistant(second));
      must(await client.assistants.get(id), assistant(second));
      await refused(client.assistants.setLatest(id, 9), 404, /version 9/);
    },
  },
  {
    name: "assistants.search, count: by graph, name and metadata; sorted, in pages, with chosen fields",
    async run({ client }) {
      const lot = randomUUID();
      const names = ["Cedar", "ash", "Birch"];
      for (const name of names) await client.assistants.create({ graphId: "steps", name, metadata: { lot } });
      await client.assistants.create({ graphId: "told", name: "Elm", metadata: { lot } });
      const metadata = { lot };
      const named = async (query: Parameters<typeof client.assistants.search>[0]) =>
        (await client.assistants.search({ metadata, ...query })).map(({ name }) => name);
      must(await named({ sortBy: "created_at", sortOrder: "asc" }), [...names, "Elm"]);
      must(await named({ graphId: "steps", sortBy: "created_at", sortOrder: "desc" }), ["Birch", "ash", "Cedar"]);
      must(await named({ name: "SH" }), ["ash"]);
      must(await named({ sortBy: "created_at", sortOrder: "asc", limit: 2, offset: 1 }), ["ash", "Birch"]);
      const page = await client.assistants.search({ metadata, limit: 3, includePagination: true });
      must(page, { assistants: [object, object, object], next: text });
      const last = await client.assistants.search({ metadata, limit: 3, offset: 3, includePagination: true });
      must(last, { assistants: [object], next: null });
      const chosen = await client.assistants.search({ metadata, name: "elm", select: ["name", "graph_id"] });
      must(chosen, [{ name: "Elm", graph_id: "told" }]);
      must(await client.assistants.count({ metadata }), 4);
      must(await client.assistants.count({ metadata, graphId: "steps", name: "a" }), 2);
    },
  },
  {
    name: "assistants.getGraph: nodes and edges, with those of subgraphs on demand",
    async run({ client }) {
      const ids = ({ nodes }: { nodes: { id: string | number }[] }) => nodes.map(({ id }) => String(id)).sort();
      const plain = await client.assistants.getGraph("family");
      must(ids(plain), ["__end__", "__start__", "after", "child"]);
      must(plain.nodes, each(having({ id: text, type: text, data: anything })));
      must(plain.edges.map(({ source, target }) => `${source} ${target}`).sort(), [
        "__start__ child",
        "after __end__",
        "child after",
      ]);
      must(ids(await client.assistants.getGraph("family", { xray: 1 })).includes("child:inner"), true, "subgraph");
      await refused(client.assistants.getGraph("nowhere"), 404, /nowhere/);
    },
  },
  {
    name: "assistants.getSchemas, getSubgraphs: what goes in and out",
    async run({ client }) {
      const schemas = (graph: string) => ({
        graph_id: graph,
        input_schema: object,
        output_schema: object,
        state_schema: object,
        config_schema: anything,
        context_schema: anything,
      });
      const told = await client.assistants.getSchemas("told");
      must(told, schemas("told"));
      must(told.input_schema, having({ type: "object", properties: having({ topic: object, told: object }) }));
      must(told.context_schema, having({ type: "object", properties: { user: having({ type: "string" }) } }));
      const inner = having({ state_schema: object });
      must(await client.assistants.getSubgraphs("family"), { child: inner });
      must(await client.assistants.getSubgraphs("family", { namespace: "child", recurse: true }), { child: inner });
      must(await client.assistants.getSubgraphs("steps"), {});
    },
  },
  {
    name: "assistants.delete: it is gone, and its threads where that is asked",
    async run({ client }) {
      const { assistant_id: id } = await client.assistants.create({ graphId: "steps" });
      const { thread_id } = await client.threads.create();
      await client.runs.wait(thread_id, id, { input: {} });
      await client.assistants.delete(id, { deleteThreads: true });
      await refused(client.assistants.get(id), 404, /does not exist/);
      await refused(client.assistants.delete(id), 404, /does not exist/);
      await refused(client.threads.get(thread_id), 404, /does not exist/);
      const kept = await client.assistants.create({ graphId: "steps" });
      const thread = await client.threads.create();
      await client.runs.wait(thread.thread_id, kept.assistant_id, { input: {} });
      await client.assistants.delete(kept.assistant_id);
      must((await client.threads.get(thread.thread_id)).thread_id, thread.thread_id);
      await refused(client.assistants.delete(idOf("steps")), 409, /graph/);
    },
  },
];
