import { ask, scenario, statusOf, textOf, UNKNOWN } from "./scenario.js";

export const statelessRuns = [
  scenario("stateless runs: background", async (side) => {
    const body = { assistant_id: "steps", input: {}, metadata: { of: "the run" } };
    const run = await side.call("POST /runs", { body: { ...body, on_completion: "keep" } });
    const path = { thread_id: textOf(run, "thread_id"), run_id: textOf(run, "run_id") };
    const RUN = "GET /threads/{thread_id}/runs/{run_id}";
    await side.until(RUN, { path }, (exchange) => statusOf(exchange.body) === "success");
    await side.until("GET /threads/{thread_id}", { path }, (exchange) => statusOf(exchange.body) === "idle");
    await side.call("GET /threads/{thread_id}", { about: "kept", path });
    await side.call("GET /threads/{thread_id}/state", { about: "kept", path });
    await side.call("POST /runs", { about: "deleted at its end", body });
    await side.call("POST /runs", { about: "no such assistant", body: { assistant_id: "nobody" } });
    await side.call("POST /runs", { about: "no assistant", body: {} });
  }),

  scenario("stateless runs: batch", async (side) => {
    const body = [
      { assistant_id: "steps", input: {} },
      { assistant_id: "chat", input: ask("All clear?") },
    ];
    await side.call("POST /runs/batch", { body });
    await side.call("POST /runs/batch", { about: "none", body: [] });
    await side.call("POST /runs/batch", { about: "no such assistant", body: [{ assistant_id: "nobody" }] });
  }),

  scenario("stateless runs: waited for", async (side) => {
    const wait = (about: string, body: Record<string, unknown>) => side.call("POST /runs/wait", { about, body });
    await wait("messages", { assistant_id: "chat", input: ask("All clear?") });
    await wait("a failure", { assistant_id: "broken", input: {} });
    await wait("a question to a human", { assistant_id: "approval", input: {} });
    await wait("kept, a question to a human", { assistant_id: "approval", input: {}, on_completion: "keep" });
    await wait("subgraphs", { assistant_id: "family", input: { trains: ["b", "a"] } });
    await wait("no such assistant", { assistant_id: "nobody" });
  }),

  scenario("stateless runs: joined", async (side) => {
    const body = { assistant_id: "slow", input: { ms: 700 }, stream_resumable: true };
    const run = await side.send("POST /runs", { body });
    const path = { run_id: textOf(run, "run_id") };
    await side.call("GET /runs/{run_id}/stream", { path, headers: { "last-event-id": "-1" } });
    await side.call("GET /runs/{run_id}/stream", { about: "unknown", path: { run_id: UNKNOWN } });
    await side.call("GET /runs/{run_id}/stream", { about: "no uuid", path: { run_id: "nobody" } });
  }),
];
