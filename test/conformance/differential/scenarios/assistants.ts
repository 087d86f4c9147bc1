import type { Exchanges } from "../exchange.js";
import { scenario, textOf, UNKNOWN } from "./scenario.js";

const newAssistant = async (side: Exchanges, body: Record<string, unknown> = {}) => {
  const made = await side.send("POST /assistants", { body: { graph_id: "chat", ...body } });
  return { assistant_id: textOf(made, "assistant_id") };
};

const byName = (assistant: Record<string, unknown>) => String(assistant.name);

export const assistants = [
  scenario("assistants: create", async (side) => {
    await side.call("POST /assistants", { about: "graph alone", body: { graph_id: "chat" } });
    const body = {
      graph_id: "chat",
      assistant_id: "00000000-0000-4000-8000-00000000000c",
      name: "Box",
      description: "says it",
      config: { tags: ["x"], recursion_limit: 7, configurable: { language: "en" } },
      context: { tone: "calm" },
      metadata: { of: "create", deep: { list: [], empty: {} } },
    };
    await side.call("POST /assistants", { about: "every field", body });
    await side.call("POST /assistants", { about: "again", body });
    await side.call("POST /assistants", { about: "again, do nothing", body: { ...body, if_exists: "do_nothing" } });
    await side.call("POST /assistants", { about: "no graph of this name", body: { graph_id: "nowhere" } });
    await side.call("POST /assistants", { about: "nothing", body: {} });
    await side.call("POST /assistants", { about: "an id that is none", body: { graph_id: "chat", assistant_id: "x" } });
    await side.call("POST /assistants", { about: "no JSON", body: "{" });
  }),

  scenario("assistants: get", async (side) => {
    const path = await newAssistant(side);
    await side.call("GET /assistants/{assistant_id}", { path });
    await side.call("GET /assistants/{assistant_id}", { about: "a graph's id", path: { assistant_id: "steps" } });
    await side.call("GET /assistants/{assistant_id}", { about: "unknown", path: { assistant_id: UNKNOWN } });
    await side.call("GET /assistants/{assistant_id}", { about: "no uuid", path: { assistant_id: "nobody" } });
  }),

  scenario("assistants: change", async (side) => {
    const path = await newAssistant(side, { name: "One", metadata: { a: 1 }, context: { tone: "old" } });
    const change = { name: "Two", metadata: { b: 2 }, config: { configurable: { language: "fr" } } };
    await side.call("PATCH /assistants/{assistant_id}", { path, body: change });
    await side.call("PATCH /assistants/{assistant_id}", { about: "another graph", path, body: { graph_id: "steps" } });
    await side.call("PATCH /assistants/{assistant_id}", { about: "nothing", path, body: {} });
    await side.call("PATCH /assistants/{assistant_id}", { about: "no text", path, body: { name: 1 } });
    const missing = { assistant_id: UNKNOWN };
    await side.call("PATCH /assistants/{assistant_id}", { about: "unknown", path: missing, body: { name: "x" } });

    await side.call("POST /assistants/{assistant_id}/versions", { path, body: {} });
    const page = { limit: 1, offset: 1 };
    await side.call("POST /assistants/{assistant_id}/versions", { about: "a page", path, body: page });
    const filter = { metadata: { b: 2 } };
    await side.call("POST /assistants/{assistant_id}/versions", { about: "by metadata", path, body: filter });
    await side.call("POST /assistants/{assistant_id}/versions", { about: "limit 0", path, body: { limit: 0 } });
    await side.call("POST /assistants/{assistant_id}/versions", { about: "unknown", path: missing, body: {} });

    await side.call("POST /assistants/{assistant_id}/latest", { path, body: { version: 1 } });
    await side.call("GET /assistants/{assistant_id}", { about: "after latest", path });
    await side.call("POST /assistants/{assistant_id}/latest", { about: "none such", path, body: { version: 99 } });
    await side.call("POST /assistants/{assistant_id}/latest", { about: "no number", path, body: { version: "1st" } });
  }),

  scenario("assistants: search", async (side) => {
    const of = { of: "search" };
    await newAssistant(side, { name: "Alpha", metadata: { ...of, rank: 1 } });
    await newAssistant(side, { name: "beta", metadata: { ...of, rank: 2, more: { a: 1, b: 2 } }, graph_id: "steps" });
    await newAssistant(side, { name: "Gamma", metadata: { ...of, rank: 3 } });
    const search = (about: string, body: Record<string, unknown>) =>
      side.call("POST /assistants/search", { about, body: { metadata: of, ...body }, sortBy: byName });
    await search("by metadata", {});
    await search("two fields of it", { metadata: { ...of, rank: 2 } });
    await search("a part of an object in it", { metadata: { ...of, more: { b: 2 } } });
    await search("by graph", { graph_id: "steps" });
    await search("by a part of the name", { name: "AMM" });
    await search("selected fields", { select: ["name", "graph_id"] });
    await search("none", { metadata: { of: "nothing" } });
    await search("page", { limit: 3 });
    await search("limit 0", { limit: 0 });
    await search("no such field to sort by", { sort_by: "colour" });
    await side.call("POST /assistants/count", { body: { metadata: of } });
    await side.call("POST /assistants/count", { about: "by graph", body: { metadata: of, graph_id: "steps" } });
    await side.call("POST /assistants/count", { about: "no object", body: { metadata: 1 } });
  }),

  scenario("assistants: what graphs look like", async (side) => {
    for (const graph of ["chat", "tools", "family", "steps", "approval", "keeper"]) {
      const path = { assistant_id: graph };
      await side.call("GET /assistants/{assistant_id}/graph", { about: graph, path });
      await side.call("GET /assistants/{assistant_id}/subgraphs", { about: graph, path });
    }
    for (const graph of ["chat", "family", "steps", "approval"])
      await side.call("GET /assistants/{assistant_id}/schemas", { about: graph, path: { assistant_id: graph } });
    const family = { assistant_id: "family" };
    await side.call("GET /assistants/{assistant_id}/graph", { about: "xray", path: family, query: { xray: "true" } });
    const recurse = { recurse: "true" };
    await side.call("GET /assistants/{assistant_id}/subgraphs", { about: "recurse", path: family, query: recurse });
    const named = { ...family, namespace: "yard" };
    await side.call("GET /assistants/{assistant_id}/subgraphs/{namespace}", { path: named });
    const unnamed = { ...family, namespace: "nowhere" };
    await side.call("GET /assistants/{assistant_id}/subgraphs/{namespace}", { about: "none such", path: unnamed });
    const missing = { path: { assistant_id: UNKNOWN }, about: "unknown" };
    await side.call("GET /assistants/{assistant_id}/graph", missing);
    await side.call("GET /assistants/{assistant_id}/schemas", missing);
    await side.call("GET /assistants/{assistant_id}/subgraphs", missing);
    const nobody = { assistant_id: UNKNOWN, namespace: "yard" };
    await side.call("GET /assistants/{assistant_id}/subgraphs/{namespace}", { about: "unknown", path: nobody });
  }),

  scenario("assistants: delete", async (side) => {
    const path = await newAssistant(side);
    await side.call("DELETE /assistants/{assistant_id}", { path });
    await side.call("DELETE /assistants/{assistant_id}", { about: "again", path });
    const withThreads = await newAssistant(side);
    const thread = textOf(await side.send("POST /threads", { body: {} }), "thread_id");
    await side.send("POST /threads/{thread_id}/runs/wait", {
      path: { thread_id: thread },
      body: { ...withThreads, input: {} },
    });
    await side.call("DELETE /assistants/{assistant_id}", {
      about: "with threads",
      path: withThreads,
      query: { delete_threads: "true" },
    });
    await side.call("GET /threads/{thread_id}", { about: "deleted with its assistant", path: { thread_id: thread } });
  }),
];
