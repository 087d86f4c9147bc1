import { scenario } from "./scenario.js";

const at = (...labels: string[]) => ["differential", ...labels];

export const store = [
  scenario("the store", async (side) => {
    const put = (about: string, body: unknown) => side.call("PUT /store/items", { about, body });
    await put("new", { namespace: at("one"), key: "k", value: { kind: "note", deep: { list: [], empty: {} } } });
    await put("again", { namespace: at("one"), key: "k", value: { kind: "note", score: 3 } });
    await put("below", { namespace: at("one", "two"), key: "k2", value: { kind: "book", score: 5 } });
    await put("like it", { namespace: at("oneself"), key: "k3", value: { kind: "book" } });
    await put("a label with a dot", { namespace: ["a.b"], key: "k", value: {} });
    await put("an empty label", { namespace: ["a", ""], key: "k", value: {} });
    await put("no namespace", { namespace: [], key: "k", value: {} });
    await put("no key", { namespace: at("one"), value: {} });
    await put("no object", { namespace: at("one"), key: "k", value: 1 });

    const get = (about: string, query: Record<string, string>) => side.call("GET /store/items", { about, query });
    await get("there", { namespace: "differential.one", key: "k" });
    await get("not there", { namespace: "differential.one", key: "nothing" });
    await get("no key", { namespace: "differential.one" });

    const key = (item: Record<string, unknown>) => String(item.key);
    const search = (about: string, body: unknown) =>
      side.call("POST /store/items/search", { about, body, sortBy: key });
    await search("below", { namespace_prefix: at("one") });
    await search("by value", { namespace_prefix: at(), filter: { kind: "book" } });
    await search("by comparison", { namespace_prefix: at(), filter: { score: { $gte: 4 } } });
    await search("limit", { namespace_prefix: at("one", "two"), limit: 1 });
    await search("beyond the last", { namespace_prefix: at("one"), offset: 2 });
    await search("nothing there", { namespace_prefix: at("nowhere") });
    await search("a label with a dot", { namespace_prefix: ["a.b"] });
    await search("no prefix", {});

    const list = (about: string, body: unknown) => side.call("POST /store/namespaces", { about, body });
    await list("below", { prefix: at() });
    await list("one level", { prefix: at(), max_depth: 2 });
    await list("by suffix", { prefix: at(), suffix: ["two"] });
    await list("a page", { prefix: at(), limit: 1, offset: 1 });
    await list("a label with a dot", { prefix: ["a.b"] });
    await list("no list", { prefix: "differential" });

    const remove = (about: string, body: unknown) => side.call("DELETE /store/items", { about, body });
    await remove("there", { namespace: at("one"), key: "k" });
    await remove("not there", { namespace: at("one"), key: "k" });
    await remove("no key", { namespace: at("one") });
    await remove("a label with a dot", { namespace: ["a.b"], key: "k" });
  }),

  scenario("the store: of graphs", async (side) => {
    const input = { shelf: "left", note: "a note" };
    await side.call("POST /runs/wait", { about: "keeper", body: { assistant_id: "keeper", input } });
    await side.call("GET /store/items", { about: "of a run", query: { namespace: "shelves.left", key: "note" } });
  }),
];
