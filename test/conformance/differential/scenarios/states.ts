import type { Exchange, Exchanges } from "../exchange.js";
import { atRest, newThread, scenario, threadAfter, UNKNOWN } from "./scenario.js";

interface State {
  checkpoint: { checkpoint_id: string; checkpoint_ns: string };
  tasks: { checkpoint?: unknown }[];
}

const STATE = "GET /threads/{thread_id}/state";
const checkpointOf = ({ body }: Exchange) => (body as State).checkpoint;

const pastOf = async (side: Exchanges, path: { thread_id: string }): Promise<State[]> =>
  (await side.send("GET /threads/{thread_id}/history", { path })).body as State[];

export const states = [
  scenario("states: read", async (side) => {
    const empty = { thread_id: await newThread(side) };
    await side.call(STATE, { about: "nothing ran", path: empty });
    await side.call("GET /threads/{thread_id}/history", { about: "nothing ran", path: empty });
    const path = await threadAfter(side, { assistant_id: "steps", input: {}, metadata: { of: "a run" } });
    await side.call(STATE, { about: "after a run", path });
    await side.call(STATE, { about: "unknown", path: { thread_id: UNKNOWN } });
    await side.call(STATE, { about: "no uuid", path: { thread_id: "nobody" } });
    await side.call("GET /threads/{thread_id}/history", { path });
    await side.call("GET /threads/{thread_id}/history", { about: "limit", path, query: { limit: "2" } });
    await side.call("GET /threads/{thread_id}/history", { about: "unknown", path: { thread_id: UNKNOWN } });
    await side.call("POST /threads/{thread_id}/history", { path, body: { limit: 3 } });
    const filter = { metadata: { source: "input" } };
    await side.call("POST /threads/{thread_id}/history", { about: "by metadata", path, body: filter });
    await side.call("POST /threads/{thread_id}/history", { about: "unknown", path: { thread_id: UNKNOWN }, body: {} });
    await side.call("POST /threads/{thread_id}/history", { about: "no number", path, body: { limit: "many" } });

    const [, , third] = await pastOf(side, path);
    const id = third?.checkpoint.checkpoint_id ?? "";
    await side.call("POST /threads/{thread_id}/history", { about: "before", path, body: { before: id } });
    const before = { before: id };
    await side.call("GET /threads/{thread_id}/history", { about: "before", path, query: before });
    await side.call("GET /threads/{thread_id}/state/{checkpoint_id}", { path: { ...path, checkpoint_id: id } });
    const none = { ...path, checkpoint_id: UNKNOWN };
    await side.call("GET /threads/{thread_id}/state/{checkpoint_id}", { about: "unknown", path: none });
    const nobody = { thread_id: UNKNOWN, checkpoint_id: id };
    await side.call("GET /threads/{thread_id}/state/{checkpoint_id}", { about: "no thread", path: nobody });
    const at = { checkpoint: third?.checkpoint };
    await side.call("POST /threads/{thread_id}/state/checkpoint", { path, body: at });
    const elsewhere = { checkpoint: { checkpoint_id: UNKNOWN } };
    await side.call("POST /threads/{thread_id}/state/checkpoint", { about: "unknown", path, body: elsewhere });
    const lost = { path: { thread_id: UNKNOWN }, body: at };
    await side.call("POST /threads/{thread_id}/state/checkpoint", { about: "no thread", ...lost });
  }),

  scenario("states: of interrupts and failures", async (side) => {
    const asked = await threadAfter(side, { assistant_id: "approval", input: {} });
    await side.call("GET /threads/{thread_id}", { about: "waits for a human", path: asked });
    await side.call(STATE, { about: "waits for a human", path: asked });
    const broken = await threadAfter(side, { assistant_id: "broken", input: {} });
    await side.call("GET /threads/{thread_id}", { about: "failed", path: broken });
    await side.call(STATE, { about: "failed", path: broken });
    const stopped = await threadAfter(side, { assistant_id: "steps", input: {}, interrupt_before: ["b"] });
    await side.call("GET /threads/{thread_id}", { about: "stops before b", path: stopped });
    await side.call(STATE, { about: "stops before b", path: stopped });
  }),

  scenario("states: of subgraphs", async (side) => {
    const run = { assistant_id: "family", input: { trains: ["b", "a"] }, interrupt_before: ["speak"] };
    const path = await threadAfter(side, run);
    await side.call(STATE, { about: "a subgraph waits", path });
    const deep = await side.call(STATE, { about: "with subgraphs", path, query: { subgraphs: "true" } });
    const plain = await side.send(STATE, { path });
    const [task] = (plain.body as State).tasks;
    const body = { checkpoint: task?.checkpoint, subgraphs: false };
    await side.call("POST /threads/{thread_id}/state/checkpoint", { about: "of a subgraph", path, body });
    const whole = { checkpoint: checkpointOf(deep), subgraphs: true };
    await side.call("POST /threads/{thread_id}/state/checkpoint", { about: "with subgraphs", path, body: whole });
  }),

  scenario("states: written", async (side) => {
    const path = await threadAfter(side, { assistant_id: "steps", input: {} });
    const write = (about: string, body: unknown) => side.call("POST /threads/{thread_id}/state", { about, path, body });
    await write("as the node that was last", { values: { steps: ["by hand"] } });
    await side.call(STATE, { about: "written", path });
    await side.call("GET /threads/{thread_id}", { about: "written", path });
    await write("as a", { values: { steps: ["as a"] }, as_node: "a" });
    await side.call(STATE, { about: "written as a", path });
    await side.call("GET /threads/{thread_id}", { about: "written as a", path });
    await write("no values", { values: null, as_node: "b" });
    await write("as nobody", { values: { steps: ["x"] }, as_node: "nobody" });
    await write("no object", { values: 1 });

    const [, , third] = await pastOf(side, path);
    await write("a fork", { values: { steps: ["fork"] }, as_node: "a", checkpoint: third?.checkpoint });
    const id = third?.checkpoint.checkpoint_id;
    await write("a fork by id", { values: { steps: ["fork"] }, as_node: "a", checkpoint_id: id });
    await side.call(STATE, { about: "after forks", path });
    await write("of no checkpoint", { values: { steps: ["x"] }, checkpoint: { checkpoint_id: UNKNOWN } });

    const empty = { path: { thread_id: await newThread(side) }, body: { values: { steps: ["x"] } } };
    await side.call("POST /threads/{thread_id}/state", { about: "a thread without a graph", ...empty });
    const lost = { path: { thread_id: UNKNOWN }, body: { values: {} } };
    await side.call("POST /threads/{thread_id}/state", { about: "unknown", ...lost });
  }),

  scenario("states: busy threads", async (side) => {
    const path = { thread_id: await newThread(side) };
    const body = { assistant_id: "slow", input: { ms: 15_000 } };
    const run = (await side.send("POST /threads/{thread_id}/runs", { path, body })).body as { run_id: string };
    const runPath = { ...path, run_id: run.run_id };
    const RUN = "GET /threads/{thread_id}/runs/{run_id}";
    await side.until(RUN, { path: runPath }, ({ body }) => (body as { status: string }).status === "running");
    const busy = { about: "busy", path };
    await side.call("GET /threads/{thread_id}", busy);
    await side.call("POST /threads/{thread_id}/state", { ...busy, body: { values: { ms: 1 } } });
    await side.send("POST /threads/{thread_id}/runs/{run_id}/cancel", { path: runPath, query: { wait: "1" } });
    await atRest(side, path);
  }),
];
