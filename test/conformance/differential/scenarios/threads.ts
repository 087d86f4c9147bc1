import { newThread, scenario, threadAfter, UNKNOWN } from "./scenario.js";

const byRank = ({ metadata }: Record<string, unknown>) => String((metadata as { rank: number }).rank);

export const threads = [
  scenario("threads: create, get, change, delete", async (side) => {
    await side.call("POST /threads", { about: "nothing given", body: {} });
    const body = { thread_id: "00000000-0000-4000-8000-00000000000a", metadata: { of: "create", deep: { list: [] } } };
    await side.call("POST /threads", { about: "every field", body });
    await side.call("POST /threads", { about: "again", body });
    await side.call("POST /threads", { about: "again, do nothing", body: { ...body, if_exists: "do_nothing" } });
    await side.call("POST /threads", { about: "an id that is none", body: { thread_id: "x" } });
    await side.call("POST /threads", { about: "no object", body: { metadata: [] } });
    const path = { thread_id: body.thread_id };
    await side.call("GET /threads/{thread_id}", { path });
    await side.call("GET /threads/{thread_id}", { about: "unknown", path: { thread_id: UNKNOWN } });
    await side.call("GET /threads/{thread_id}", { about: "no uuid", path: { thread_id: "nobody" } });
    await side.call("PATCH /threads/{thread_id}", { path, body: { metadata: { more: 1 } } });
    await side.call("PATCH /threads/{thread_id}", { about: "no object", path, body: { metadata: 1 } });
    const change = { path: { thread_id: UNKNOWN }, body: { metadata: { more: 1 } } };
    await side.call("PATCH /threads/{thread_id}", { about: "unknown", ...change });
    await side.call("DELETE /threads/{thread_id}", { path });
    await side.call("DELETE /threads/{thread_id}", { about: "again", path });
    await side.call("GET /threads/{thread_id}", { about: "deleted", path });
  }),

  scenario("threads: created with supersteps", async (side) => {
    const superstep = (values: unknown, as_node: string) => ({ updates: [{ values, as_node }] });
    const supersteps = [superstep({ steps: ["given"] }, "__input__"), superstep({ steps: ["a"] }, "a")];
    const path = { thread_id: await newThread(side, { metadata: { graph_id: "steps" }, supersteps }) };
    await side.call("GET /threads/{thread_id}", { about: "with supersteps", path });
    await side.call("GET /threads/{thread_id}/state", { about: "of supersteps", path });
    await side.call("GET /threads/{thread_id}/history", { about: "of supersteps", path });
    await side.call("POST /threads", { about: "supersteps without a graph", body: { supersteps } });
    const nowhere = { metadata: { graph_id: "steps" }, supersteps: [superstep({ steps: ["x"] }, "nowhere")] };
    await side.call("POST /threads", { about: "supersteps of no node", body: nowhere });
  }),

  scenario("threads: search", async (side) => {
    const of = { of: "thread search" };
    await newThread(side, { metadata: { ...of, rank: 1 } });
    const second = await newThread(side, { metadata: { ...of, rank: 2, more: { a: 1, b: 2 } } });
    const ran = await threadAfter(side, { assistant_id: "steps", input: {}, metadata: { from: "the run" } });
    await side.send("PATCH /threads/{thread_id}", { path: ran, body: { metadata: { ...of, rank: 3 } } });
    const search = (about: string, body: Record<string, unknown>) =>
      side.call("POST /threads/search", { about, body: { metadata: of, ...body }, sortBy: byRank });
    await search("by metadata", {});
    await search("a part of an object in it", { metadata: { ...of, more: { b: 2 } } });
    await search("by id", { ids: [second] });
    await search("by status", { status: "idle" });
    await search("by values", { values: { steps: ["a", "b", "c"] }, status: "idle" });
    await search("selected fields", { select: ["metadata", "status"] });
    await search("none", { metadata: { of: "nothing" } });
    await search("as many as there are", { limit: 3 });
    await search("no status", { status: "asleep" });
    await search("limit 0", { limit: 0 });
    for (const sort_order of ["asc", "desc"]) {
      const body = { metadata: of, sort_by: "created_at", sort_order };
      await side.call("POST /threads/search", { about: `sorted ${sort_order}`, body });
    }
    await side.call("POST /threads/count", { body: { metadata: of } });
    await side.call("POST /threads/count", { about: "by status", body: { metadata: of, status: "error" } });
    await side.call("POST /threads/count", { about: "no status", body: { status: "asleep" } });
  }),

  scenario("threads: copy", async (side) => {
    const path = await threadAfter(side, { assistant_id: "steps", input: {} });
    await side.send("PATCH /threads/{thread_id}", { path, body: { metadata: { of: "copy" } } });
    const copy = await side.call("POST /threads/{thread_id}/copy", { path });
    const copied = copy.body as { thread_id: string } | undefined;
    const at = { thread_id: copied?.thread_id ?? UNKNOWN };
    await side.call("GET /threads/{thread_id}", { about: "a copy", path: at });
    await side.call("GET /threads/{thread_id}/state", { about: "of a copy", path: at });
    await side.call("GET /threads/{thread_id}/history", { about: "of a copy", path: at });
    await side.call("POST /threads/{thread_id}/copy", { about: "unknown", path: { thread_id: UNKNOWN } });
  }),
];
