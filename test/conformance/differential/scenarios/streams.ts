import type { Exchanges } from "../exchange.js";
import { ask, atRest, newThread, type Scenario, scenario, statusOf, textOf, threadAfter } from "./scenario.js";

export const MODES = [
  "values",
  "updates",
  "messages",
  "messages-tuple",
  "custom",
  "debug",
  "tasks",
  "checkpoints",
  "events",
  "tools",
];

const ON_THREAD = "POST /threads/{thread_id}/runs/stream";

const inputs = {
  chat: ask("All clear?"),
  tools: ask("Where is it?"),
  family: { trains: ["b", "a"] },
  approval: {},
  broken: {},
};

const streamed = async (side: Exchanges, about: string, body: Record<string, unknown>) => {
  const path = { thread_id: await newThread(side) };
  await side.call(ON_THREAD, { about, path, body });
  await atRest(side, path);
};

/** Every mode, with each graph that has something to say in it. */
function ofMode(mode: string): Scenario[] {
  const graphs = Object.entries(inputs).map(([graph, input]) =>
    scenario(`streams: ${mode} of ${graph}`, async (side) => {
      await streamed(side, `${mode} of ${graph}`, { assistant_id: graph, input, stream_mode: mode });
    }),
  );
  const subgraphs = scenario(`streams: ${mode} with subgraphs`, async (side) => {
    const body = { assistant_id: "family", input: inputs.family, stream_mode: [mode], stream_subgraphs: true };
    await streamed(side, `${mode} with subgraphs`, body);
  });
  return [...graphs, subgraphs];
}

export const streams = [
  ...MODES.flatMap(ofMode),

  scenario("streams: several modes", async (side) => {
    const stream_mode = ["values", "updates", "custom", "messages-tuple"];
    const body = { assistant_id: "family", input: inputs.family, stream_mode, stream_subgraphs: true };
    await streamed(side, "several modes", body);
    await streamed(side, "no mode given", { assistant_id: "steps", input: {} });
    const messages = { assistant_id: "chat", input: inputs.chat, stream_mode: ["messages", "values"] };
    await streamed(side, "messages and values", messages);
    const resumable = { assistant_id: "steps", input: {}, stream_mode: "updates", stream_resumable: true };
    await streamed(side, "resumable", resumable);
  }),

  scenario("streams: stateless", async (side) => {
    for (const stream_mode of ["values", "messages-tuple", "updates"]) {
      const body = { assistant_id: "chat", input: inputs.chat, stream_mode };
      await side.call("POST /runs/stream", { about: stream_mode, body });
    }
    const keep = { assistant_id: "steps", input: {}, on_completion: "keep" };
    await side.call("POST /runs/stream", { about: "kept", body: keep });
    await side.call("POST /runs/stream", { about: "a failure", body: { assistant_id: "broken", input: {} } });
    await side.call("POST /runs/stream", { about: "no such assistant", body: { assistant_id: "nobody" } });
  }),

  scenario("streams: answers and forks", async (side) => {
    const path = await threadAfter(side, { assistant_id: "approval", input: {} });
    const answer = { assistant_id: "approval", command: { resume: "yes" }, stream_mode: ["values", "updates"] };
    await side.call(ON_THREAD, { about: "the first answer", path, body: answer });
    await atRest(side, path);
    await side.call(ON_THREAD, { about: "the second answer", path, body: answer });
    await atRest(side, path);
    const stops = { assistant_id: "steps", input: {}, interrupt_before: ["b"], stream_mode: ["values", "updates"] };
    await streamed(side, "stops before b", stops);
  }),

  scenario("streams: joined", async (side) => {
    const path = { thread_id: await newThread(side) };
    const body = { assistant_id: "slow", input: { ms: 1_000 }, stream_resumable: true };
    const run = await side.send("POST /threads/{thread_id}/runs", { path, body });
    const runPath = { ...path, run_id: textOf(run, "run_id") };
    const JOIN = "GET /threads/{thread_id}/runs/{run_id}/stream";
    const all = await side.call(JOIN, { about: "from the start", path: runPath, headers: { "last-event-id": "-1" } });
    await atRest(side, path);
    await side.call(JOIN, { about: "ended, from the start", path: runPath, headers: { "last-event-id": "-1" } });
    const second = all.events?.[1]?.id ?? "";
    await side.call(JOIN, { about: "after its second event", path: runPath, headers: { "last-event-id": second } });
    await side.call(JOIN, { about: "no uuid", path: { ...path, run_id: "nobody" } });
  }),

  scenario("streams: left", async (side) => {
    const path = { thread_id: await newThread(side) };
    let runId = "";
    await side.send(ON_THREAD, {
      path,
      body: { assistant_id: "slow", input: { ms: 15_000 }, stream_mode: "updates", on_disconnect: "cancel" },
      async onEvent({ event, data }) {
        if (event === "metadata") runId = (data as { run_id: string }).run_id;
        return event === "updates" ? "leave" : undefined;
      },
    });
    const run = { path: { ...path, run_id: runId } };
    await side.until("GET /threads/{thread_id}/runs/{run_id}", run, ({ body }) => statusOf(body) === "interrupted");
    await side.call("GET /threads/{thread_id}/runs/{run_id}", { about: "left by its client", ...run });
  }),
];
