/** Real graphs on the saver: what LangGraph's own MemorySaver shows of them must be seen here, too. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as langgraph from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createCheckpointer, FencedError, writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import { findLangGraph, loadRuntime } from "../../app/graphs/runtime.js";
import { all, counter, interview, seen, type TestGraph, transcript } from "../support/checkpointGraphs.js";
import { at, ours } from "../support/checkpoints.js";
import { type Core, newRun, startCore, success } from "../support/core.js";
import { installProject } from "../support/projects/install.js";

const { Command, MemorySaver, START, StateGraph, Annotation, interrupt } = langgraph;

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
afterAll(() => core.stop());
// A run that another test left ready could be claimed in place of ours.
beforeEach(() => core.admin.flushall());

const saver = () => createCheckpointer(ours, core);

/** Does the same with LangGraph's saver, and with ours anew for each step, as if each were done by another process. */
async function likeMemorySaver(scenario: (saver: () => BaseCheckpointSaver) => Promise<unknown[]>): Promise<void> {
  const memory = new MemorySaver();
  const expected = await scenario(() => memory);
  expect(await scenario(saver)).toEqual(expected);
}

const finished = [
  ...["planned", "researched b", "researched a", "planned", "researched b", "researched a"],
  ...["greeted", "Ada since 1843", "closed after 8 with 256 bytes"],
];

describe("a graph with sends, a subgraph and two interrupts", () => {
  test.each(["sync", "async", "exit"] as const)("runs, asks and goes on (durability %s)", async (durability) => {
    await likeMemorySaver(async (saver) => {
      const config = at(uuid());
      const inputs = [{ topic: "trains" }, new Command({ resume: "Ada" }), new Command({ resume: "1843" })];
      const steps: unknown[] = [];
      for (const input of inputs) {
        const { log } = await interview(langgraph, saver()).invoke(input, { ...config, durability });
        steps.push(log, await transcript(interview(langgraph, saver()), config));
      }
      expect(steps.at(-2)).toEqual(finished);
      return steps;
    });
  });

  test("is forked from an older checkpoint, with and without a change, and its first branch stays", async () => {
    await likeMemorySaver(async (saver) => {
      const config = at(uuid());
      const graph = () => interview(langgraph, saver());
      for (const input of [{ topic: "trains" }, new Command({ resume: "Ada" }), new Command({ resume: "1843" })])
        await graph().invoke(input, config);
      const history = await all(graph().getStateHistory(config));
      const asked = history.find(({ next }) => next.includes("questions"));
      const ended = history[0];
      if (!asked || !ended) return expect.fail("the thread has no such history");
      const steps: unknown[] = [];
      await graph().invoke(null, asked.config);
      steps.push(await transcript(graph(), config));
      const changed = await graph().updateState(asked.config, { topic: "planes", log: ["changed"] }, "plan");
      await graph().invoke(null, changed);
      await graph().invoke(new Command({ resume: "Amelia" }), config);
      const { log } = await graph().invoke(new Command({ resume: "1920" }), config);
      steps.push(log, await transcript(graph(), config));
      for (const branch of [asked, ended]) steps.push(seen(await graph().getState(branch.config)));
      return steps;
    });
  });

  test("is copied at a checkpoint, also at its first one", async () => {
    await likeMemorySaver(async (saver) => {
      const config = at(uuid());
      const graph = () => interview(langgraph, saver());
      await graph().invoke({ topic: "trains" }, config);
      const history = await all(graph().getStateHistory(config));
      const steps: unknown[] = [];
      for (const { config } of [history[1], history.at(-1)].filter((snapshot) => snapshot !== undefined)) {
        const copy = await graph().updateState(config, null, "__copy__");
        steps.push(seen(await graph().getState(copy)));
      }
      return [...steps, await transcript(graph(), config)];
    });
  });
});

describe("a graph whose channel is stored as deltas", () => {
  test("is rebuilt from its ancestors, over snapshots, runs and forks", async () => {
    await likeMemorySaver(async (saver) => {
      const config = at(uuid());
      const graph = () => counter(langgraph, saver());
      const steps: unknown[] = [];
      for (const count of [1, 3, 5]) {
        const { log } = await graph().invoke({ count }, config);
        steps.push(log, await transcript(graph(), config));
      }
      const history = await all(graph().getStateHistory(config));
      const older = history.find(({ values }) => values.count === 7);
      if (!older) return expect.fail("the thread has no such history");
      const { log } = await graph().invoke(null, older.config);
      return [...steps, log, await transcript(graph(), config)];
    });
  });
});

describe.each(["oldest", "newest"] as const)("a project with a LangGraph of its own, the %s", (name) => {
  let own: typeof langgraph;
  let messages: typeof import("@langchain/core/messages");
  let saver: () => BaseCheckpointSaver;
  beforeAll(async () => {
    const folder = await installProject(name);
    const load = (file: string) => import(pathToFileURL(join(folder, "node_modules/@langchain", file)).href);
    own = await load("langgraph/dist/index.js");
    messages = await load("core/dist/messages/index.js");
    const runtime = await loadRuntime(findLangGraph(folder));
    saver = () => createCheckpointer(runtime, core);
  }, 120_000);

  test("sees on our saver what it sees on its own MemorySaver", async () => {
    const memory = new own.MemorySaver();
    const scenario = async (saver: () => BaseCheckpointSaver) => {
      const config = at(uuid());
      const inputs = [{ topic: "trains" }, new own.Command({ resume: "Ada" }), new own.Command({ resume: "1843" })];
      for (const input of inputs) await interview(own, saver()).invoke(input, config);
      return await transcript(interview(own, saver()), config);
    };
    expect(await scenario(saver)).toEqual(await scenario(() => memory));
    expect(saver()).toBeInstanceOf(own.BaseCheckpointSaver);
  });

  test("gets messages of its own classes back", async () => {
    const config = at(uuid());
    const graph: TestGraph = new own.StateGraph(own.MessagesAnnotation)
      .addNode("answer", () => ({ messages: [new messages.AIMessage("hello")] }))
      .addEdge(own.START, "answer")
      .compile({ checkpointer: saver() });
    await graph.invoke({ messages: [{ role: "user", content: "hi" }] }, config);
    const { values } = await graph.getState(config);
    expect(values.messages).toEqual([expect.any(messages.HumanMessage), expect.any(messages.AIMessage)]);
  });
});

describe("a run", () => {
  const start = async (threadId: string) => {
    await core.runs.enqueue(newRun({ threadId }));
    return await core.claim(threadId);
  };

  test("stores everything under its attempt's name, subgraphs included", async () => {
    const threadId = uuid();
    const run = await start(threadId);
    await interview(langgraph, saver()).invoke({ topic: "trains" }, at(threadId, writtenBy(run)));
    const pattern = core.keys.of(threadId, "checkpoint", threadId, "*");
    const keys = await core.admin.keys(pattern);
    expect(keys.some((key) => key.includes("questions:"))).toBe(true);
    for (const key of keys) expect(await core.admin.hget(key, "author")).toContain(run.owner);
    expect(await saver().newest(threadId)).toMatchObject({
      ...{ runId: run.runId, attempt: 1, owner: run.owner },
      writes: expect.arrayContaining([expect.objectContaining({ channel: "__interrupt__", runId: run.runId })]),
    });
  });

  test("that is taken over fails with FencedError, and the thread shows nothing of what it did then", async () => {
    const threadId = uuid();
    const old = await start(threadId);
    const State = Annotation.Root({
      log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
    });
    const graph = new StateGraph(State)
      .addNode("before", () => ({ log: ["before"] }))
      .addNode("during", async () => {
        await core.attempts.release(old);
        return { log: ["during"] };
      })
      .addNode("after", () => ({ log: ["after"] }))
      .addEdge(START, "before")
      .addEdge("before", "during")
      .addEdge("during", "after")
      .compile({ checkpointer: saver() });
    const config = { ...at(threadId, writtenBy(old)), durability: "sync" } as const;
    await expect(graph.invoke({ log: ["input"] }, config)).rejects.toThrow(FencedError);
    expect((await graph.getState(at(threadId))).values).toEqual({ log: ["input", "before"] });
    expect(await saver().newest(threadId)).toMatchObject({ writes: [] });
  });

  test("that died between two interrupts of a node gives each its own answer the next time", async () => {
    const threadId = uuid();
    const State = Annotation.Root({ answers: Annotation<string[]> });
    const build = (lastly: () => Promise<void>): TestGraph =>
      new StateGraph(State)
        .addNode("ask", async () => {
          const answers = [interrupt<string, string>("first?"), interrupt<string, string>("second?")];
          await lastly();
          return { answers };
        })
        .addEdge(START, "ask")
        .compile({ checkpointer: saver() });
    const settles = build(async () => {});
    for (const input of [{ answers: [] }, new Command({ resume: "one" })]) {
      const run = await start(threadId);
      await settles.invoke(input, at(threadId, writtenBy(run)));
      await core.attempts.finish(run, success, 1, []);
    }

    const lost = await start(threadId);
    const worker = new AbortController();
    const dies = build(async () => worker.abort(new Error("the worker died")));
    const answer = new Command({ resume: "two" });
    const config = at(threadId, writtenBy(lost));
    await expect(dies.invoke(answer, { ...config, signal: worker.signal })).rejects.toThrow("died");

    await core.attempts.release(lost);
    const run = await core.claim(threadId);
    expect(await saver().newest(threadId)).toMatchObject({
      writes: expect.arrayContaining([expect.objectContaining({ channel: "__resume__", runId: run.runId })]),
    });
    await saver().takeBack(run);
    expect(await settles.invoke(answer, at(threadId, writtenBy(run)))).toEqual({ answers: ["one", "two"] });
  });

  test("that died in a subgraph before its second question doesn't answer that, and repeats no finished node", async () => {
    const threadId = uuid();
    const executed: string[] = [];
    const State = Annotation.Root({
      log: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
    });
    const ask = (tool: string) => {
      const answer = interrupt<string, string>(`may I use ${tool}?`);
      executed.push(tool);
      return { log: [`${tool}: ${answer}`] };
    };
    const build = (beforeSecond: () => void): TestGraph => {
      const agent = new StateGraph(State)
        .addNode("first", () => ask("the first tool"))
        .addNode("second", () => {
          beforeSecond();
          return ask("the second tool");
        })
        .addEdge(START, "first")
        .addEdge("first", "second")
        .compile();
      return new StateGraph(State).addNode("agent", agent).addEdge(START, "agent").compile({ checkpointer: saver() });
    };
    const lives = build(() => {});
    const asking = await start(threadId);
    await lives.invoke({ log: [] }, at(threadId, writtenBy(asking)));
    await core.attempts.finish(asking, success, 1, []);

    const lost = await start(threadId);
    const worker = new AbortController();
    const dies = build(() => worker.abort(new Error("the worker died")));
    const answer = new Command({ resume: "yes" });
    const config = { ...at(threadId, writtenBy(lost)), durability: "sync", signal: worker.signal } as const;
    await expect(dies.invoke(answer, config)).rejects.toThrow("died");

    await core.attempts.release(lost);
    const run = await core.claim(threadId);
    await saver().takeBack(run);
    await lives.invoke(answer, at(threadId, writtenBy(run)));
    const { tasks } = await lives.getState(at(threadId));
    expect(tasks.flatMap(({ interrupts }) => interrupts)).toMatchObject([{ value: "may I use the second tool?" }]);
    expect(executed).toEqual(["the first tool"]);
  });
});

test("a checkpoint has its run's metadata, and of `configurable` the run's ids alone", async () => {
  const graph = interview(langgraph, saver());
  const configurable = { thread_id: uuid(), run_id: uuid(), graph_id: "interview", provider_api_key: "secret" };
  await graph.invoke({ topic: "trains" }, { configurable, metadata: { team: "red" } });
  const ofRun = { team: "red", run_id: configurable.run_id, graph_id: "interview" };
  const where = { thread_id: configurable.thread_id };
  for (const { metadata } of await all(graph.getStateHistory({ configurable: where })))
    expect(metadata).toEqual({ ...ofRun, ...where, source: metadata?.source, step: metadata?.step, parents: {} });

  const found = (team: string) => all(graph.getStateHistory({ configurable: where }, { filter: { team } }));
  expect(await found("red")).toHaveLength(4);
  expect(await found("blue")).toEqual([]);
});
