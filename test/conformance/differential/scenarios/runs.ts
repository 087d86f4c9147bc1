import type { Exchanges } from "../exchange.js";
import { ask, atRest, newThread, scenario, statusOf, textOf, threadAfter, UNKNOWN } from "./scenario.js";

const RUNS = "POST /threads/{thread_id}/runs";
const RUN = "GET /threads/{thread_id}/runs/{run_id}";
const WAIT = "POST /threads/{thread_id}/runs/wait";
const CANCEL = "POST /threads/{thread_id}/runs/{run_id}/cancel";

interface State {
  next?: string[];
}

type RunPath = { thread_id: string; run_id: string };

async function begin(side: Exchanges, path: { thread_id: string }, body: Record<string, unknown>): Promise<RunPath> {
  return { ...path, run_id: textOf(await side.send(RUNS, { path, body }), "run_id") };
}

const becomes = (side: Exchanges, path: RunPath, status: string) =>
  side.until(RUN, { path }, ({ body }) => statusOf(body) === status);

/** A new thread on which a run has begun that would take long. */
async function underWay(side: Exchanges): Promise<RunPath> {
  const run = await begin(side, { thread_id: await newThread(side) }, { assistant_id: "slow", input: { ms: 15_000 } });
  await side.until("GET /threads/{thread_id}/state", { path: run }, ({ body }) => (body as State).next?.[0] === "wait");
  return run;
}

const stop = async (side: Exchanges, path: RunPath) => {
  await side.send(CANCEL, { path, query: { wait: "1" } });
};

export const runs = [
  scenario("runs: in the background", async (side) => {
    const path = { thread_id: await newThread(side, { metadata: { of: "the thread" } }) };
    const body = {
      assistant_id: "chat",
      input: ask("All clear?"),
      config: { tags: ["x"], recursion_limit: 9, configurable: { language: "en" } },
      context: { tone: "calm" },
      metadata: { of: "the run", deep: { list: [] } },
    };
    const run = await side.call(RUNS, { about: "every field", path, body });
    const runPath = { ...path, run_id: textOf(run, "run_id") };
    await side.call("GET /threads/{thread_id}/runs/{run_id}/join", { path: runPath });
    await becomes(side, runPath, "success");
    await atRest(side, path);
    await side.call(RUN, { about: "ended", path: runPath });
    await side.call("GET /threads/{thread_id}", { about: "after a run", path });
    await side.call("GET /threads/{thread_id}/runs", { path });
    await side.call("GET /threads/{thread_id}/runs", { about: "by status", path, query: { status: "error" } });
    await side.call("GET /threads/{thread_id}/runs", { about: "unknown", path: { thread_id: UNKNOWN } });
    await side.call(RUN, { about: "unknown", path: { ...path, run_id: UNKNOWN } });
    await side.call(RUN, { about: "no uuid", path: { ...path, run_id: "nobody" } });
    const nobody = { ...path, run_id: UNKNOWN };
    await side.call("GET /threads/{thread_id}/runs/{run_id}/join", {
      about: "no thread",
      path: { ...nobody, thread_id: UNKNOWN },
    });
    await side.call("GET /threads/{thread_id}/runs/{run_id}/stream", { about: "unknown", path: nobody });
    await side.call("DELETE /threads/{thread_id}/runs/{run_id}", { path: runPath });
    await side.call(RUN, { about: "deleted", path: runPath });
    await side.call("DELETE /threads/{thread_id}/runs/{run_id}", { about: "again", path: runPath });
  }),

  scenario("runs: refused", async (side) => {
    const path = { thread_id: await newThread(side) };
    const refused: [string, unknown][] = [
      ["no such assistant", { assistant_id: "nobody" }],
      ["no assistant", {}],
      ["no such mode", { assistant_id: "steps", stream_mode: ["colours"] }],
      ["no such strategy", { assistant_id: "steps", multitask_strategy: "wait" }],
      ["no JSON", "{"],
    ];
    for (const [about, body] of refused) await side.call(RUNS, { about, path, body });
    for (const operation of [WAIT, "POST /threads/{thread_id}/runs/stream"])
      await side.call(operation, { about: "no such assistant", path, body: { assistant_id: "nobody" } });
    const lost = { path: { thread_id: UNKNOWN }, body: { assistant_id: "steps", input: {} } };
    await side.call(RUNS, { about: "no such thread", ...lost });
    await side.call(RUNS, { about: "no uuid", path: { thread_id: "nobody" }, body: lost.body });
  }),

  scenario("runs: waited for", async (side) => {
    const wait = async (about: string, body: Record<string, unknown>, path?: { thread_id: string }) => {
      const thread = path ?? { thread_id: await newThread(side) };
      await side.call(WAIT, { about, path: thread, body });
      await atRest(side, thread);
      return thread;
    };
    await wait("messages", { assistant_id: "chat", input: ask("All clear?"), context: { tone: "calm" } });
    await wait("a failure", { assistant_id: "broken", input: {} });
    await wait("the recursion limit", {
      assistant_id: "steps",
      input: { again: true },
      config: { recursion_limit: 4 },
    });
    await wait("an input that does not fit", { assistant_id: "steps", input: { steps: 1 } });
    await wait("a tool", { assistant_id: "tools", input: ask("Where is it?") });
    await wait("subgraphs", { assistant_id: "family", input: { trains: ["b", "a"] } });
    await wait("goto", { assistant_id: "steps", command: { goto: "c" } });
    await wait("goto with an input", {
      assistant_id: "steps",
      command: { goto: { node: "c", input: { steps: ["sent"] } } },
    });

    const steps = await wait("stops before b", { assistant_id: "steps", input: {}, interrupt_before: ["b"] });
    await wait("goes on", { assistant_id: "steps", input: null }, steps);
    await wait("an update", { assistant_id: "steps", command: { update: { steps: ["updated"] } } }, steps);
    const stopped = await wait("stops after every node", { assistant_id: "steps", input: {}, interrupt_after: "*" });
    await side.call("GET /threads/{thread_id}", { about: "stopped after a", path: stopped });
  }),

  scenario("runs: of assistants with defaults", async (side) => {
    const body = { graph_id: "chat", context: { tone: "calm" }, config: { configurable: { language: "fr" } } };
    const assistant_id = textOf(await side.send("POST /assistants", { body }), "assistant_id");
    const wait = (about: string, given: Record<string, unknown>) =>
      side.call("POST /runs/wait", { about, body: { assistant_id, input: ask("All clear?"), ...given } });
    await wait("an assistant's defaults", {});
    await wait("over an assistant's defaults", {
      context: { tone: "loud" },
      config: { configurable: { language: "en" } },
    });
    await wait("beside an assistant's defaults", { config: { configurable: { other: 1 } } });
    await side.send("PATCH /assistants/{assistant_id}", { path: { assistant_id }, body: { context: { tone: "new" } } });
    await wait("an assistant that has changed", {});
  }),

  scenario("runs: a human's answers", async (side) => {
    const path = await threadAfter(side, { assistant_id: "approval", input: {} });
    const answer = async (about: string, command: unknown) => {
      await side.call(WAIT, { about, path, body: { assistant_id: "approval", command } });
      await atRest(side, path);
      await side.call("GET /threads/{thread_id}", { about, path });
    };
    await answer("the first answer", { resume: "yes" });
    await answer("the second answer", { resume: "to all" });
    const sortBy = ({ kwargs }: Record<string, unknown>) =>
      JSON.stringify((kwargs as { command?: unknown }).command ?? "");
    await side.call("GET /threads/{thread_id}/runs", { about: "of answers", path, sortBy });
  }),

  scenario("runs: from an earlier checkpoint", async (side) => {
    const path = await threadAfter(side, { assistant_id: "steps", input: {} });
    const past = (await side.send("GET /threads/{thread_id}/history", { path })).body as {
      next: string[];
      checkpoint: Record<string, string>;
    }[];
    const before = past.find(({ next }) => next[0] === "b")?.checkpoint ?? {};
    const { checkpoint_id, checkpoint_ns } = before;
    const again = async (about: string, from: Record<string, unknown>) => {
      await side.call(WAIT, { about, path, body: { assistant_id: "steps", input: null, ...from } });
      await atRest(side, path);
    };
    await again("by checkpoint", { checkpoint: { checkpoint_id, checkpoint_ns } });
    await again("by its id", { checkpoint_id });
    await side.call("GET /threads/{thread_id}/history", { about: "after forks", path, query: { limit: "20" } });
  }),

  scenario("runs: threads that are made", async (side) => {
    const path = { thread_id: "00000000-0000-4000-8000-00000000000b" };
    const body = { assistant_id: "steps", input: {}, metadata: { of: "the run" }, if_not_exists: "create" };
    await side.call(WAIT, { about: "creates its thread", path, body });
    await atRest(side, path);
    await side.call("GET /threads/{thread_id}", { about: "created by a run", path });
  }),

  scenario("runs: cancelled", async (side) => {
    const run = await underWay(side);
    await side.call(CANCEL, { about: "and wait", path: run, query: { wait: "1" } });
    await becomes(side, run, "interrupted");
    await atRest(side, run);
    await side.call(RUN, { about: "cancelled", path: run });
    await side.call("GET /threads/{thread_id}", { about: "after a cancel", path: run });
    await side.call("GET /threads/{thread_id}/state", { about: "after a cancel", path: run });
    await side.call(CANCEL, { about: "ended", path: run });
    await side.call(CANCEL, { about: "unknown", path: { ...run, run_id: UNKNOWN } });
    await side.call(CANCEL, { about: "no such action", path: run, query: { action: "stop" } });

    const later = await begin(side, run, { assistant_id: "steps", input: {}, after_seconds: 60 });
    await side.call(CANCEL, { about: "not begun", path: later });
    await side.call(RUN, { about: "cancelled before it began", path: later });
    const rolled = await begin(side, run, { assistant_id: "steps", input: {}, after_seconds: 60 });
    const rollback = { action: "rollback" };
    await side.call(CANCEL, { about: "not begun, rollback", path: rolled, query: rollback });
    await side.call(RUN, { about: "rolled back", path: rolled });
  }),

  scenario("runs: on a busy thread", async (side) => {
    const first = await underWay(side);
    const body = { assistant_id: "slow", input: { ms: 1 } };
    await side.call(RUNS, { about: "reject", path: first, body: { ...body, multitask_strategy: "reject" } });
    const queued = await side.call(RUNS, {
      about: "enqueue",
      path: first,
      body: { ...body, multitask_strategy: "enqueue" },
    });
    await side.call("GET /threads/{thread_id}/runs", {
      about: "of a busy thread",
      path: first,
      query: { status: "pending" },
    });
    await stop(side, first);
    await becomes(side, { ...first, run_id: textOf(queued, "run_id") }, "success");
    await atRest(side, first);
    await side.call("GET /threads/{thread_id}", { about: "after the queue", path: first });

    const second = await underWay(side);
    const next = await side.call(RUNS, {
      about: "interrupt",
      path: second,
      body: { ...body, multitask_strategy: "interrupt" },
    });
    await becomes(side, { ...second, run_id: textOf(next, "run_id") }, "success");
    await side.call(RUN, { about: "interrupted by the next", path: second });
  }),
];
