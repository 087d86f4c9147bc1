/** Whoever ignores its signal is known to work on until it settles, in the oldest LangGraph that we support as in the newest. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as LangGraph from "@langchain/langgraph";
import { beforeAll, describe, expect, test } from "vitest";
import { writtenBy } from "../../app/data/checkpoints/checkpointer.js";
import type { Graph } from "../../app/graphs/load.js";
import { nodesSettled, watchNodes } from "../../app/worker/nodes.js";
import { installProject } from "../support/projects/install.js";

const INSTALL_MS = 180_000;

describe.each(["oldest", "newest"] as const)("on the %s LangGraph", (name) => {
  let lg: typeof LangGraph;
  let State: ReturnType<typeof stateOf>;
  beforeAll(async () => {
    const file = join(await installProject(name), "node_modules/@langchain/langgraph/dist/index.js");
    expect(existsSync(file)).toBe(true);
    lg = await import(pathToFileURL(file).href);
    State = stateOf(lg);
  }, INSTALL_MS);

  const graphOf = (node: () => Promise<object>): Graph =>
    new lg.StateGraph(State)
      .addNode("node", node)
      .addEdge(lg.START, "node")
      .addEdge("node", lg.END)
      .compile() as unknown as Graph;

  const deafGraphs: Record<string, (deaf: () => Promise<object>) => Graph> = {
    "a node": (deaf) => graphOf(deaf),
    "a node of a subgraph": (deaf) =>
      new lg.StateGraph(State)
        .addNode("sub", graphOf(deaf) as never)
        .addEdge(lg.START, "sub")
        .addEdge("sub", lg.END)
        .compile() as unknown as Graph,
    "a node of a graph that a node calls": (deaf) => {
      const called = graphOf(deaf);
      return graphOf(async () => (await called.invoke({})) as object);
    },
    "a task": (deaf) => {
      const task = lg.task("deaf", deaf);
      return lg.entrypoint("flow", async () => await task()) as unknown as Graph;
    },
  };

  test.each(Object.entries(deafGraphs))("%s", async (_, make) => {
    let settle = () => {};
    let begun = () => {};
    const begins = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const graph = make(async () => {
      begun();
      await new Promise<void>((resolve) => {
        settle = resolve;
      });
      return {};
    });
    watchNodes(graph);
    const owner = `owner of ${_} ${name}`;
    const stopping = new AbortController();
    const configurable = { thread_id: "t", ...writtenBy({ runId: "run", owner, attempt: 1 }) };
    const invoked = graph.invoke({}, { configurable, signal: stopping.signal });
    await begins;
    stopping.abort(new Error("stopped"));
    await expect(invoked).rejects.toThrow();

    let settled = false;
    const over = nodesSettled(owner).then(() => {
      settled = true;
    });
    // What has settled is known within a few turns of the loop.
    for (let turn = 0; turn < 10; turn++) await new Promise((next) => setImmediate(next));
    expect(settled).toBe(false);
    settle();
    await over;
  });

  test("a run whose nodes have all ended waits for nothing", async () => {
    const graph = graphOf(async () => ({ log: ["done"] }));
    watchNodes(graph);
    const configurable = writtenBy({ runId: "run", owner: "ended", attempt: 1 });
    expect(await graph.invoke({}, { configurable })).toEqual({ log: ["done"] });
    await nodesSettled("ended");
  });
});

function stateOf(lg: typeof LangGraph) {
  return lg.Annotation.Root({
    log: lg.Annotation<string[]>({ reducer: (before, more) => before.concat(more), default: () => [] }),
  });
}
