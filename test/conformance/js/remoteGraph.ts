/** `RemoteGraph` of LangGraph.js: a graph of this server as a local one. */
import { randomUUID } from "node:crypto";
import { Annotation, Command, END, isGraphInterrupt, START, StateGraph } from "@langchain/langgraph";
import { RemoteGraph } from "@langchain/langgraph/remote";
import type { Case, Target } from "../cases.js";
import { having, is, must, text, uuid } from "../shape.js";
import { eventually } from "./support.js";

const on = () => ({ configurable: { thread_id: randomUUID() } });
const remote = ({ url, client }: Target, graphId: string) => new RemoteGraph({ graphId, url, client });
const done = (topic: string) => ({ topic, items: ["first", "second"] });

async function collect(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export const remoteGraphCases: Case[] = [
  {
    name: "invoke, with and without a thread",
    async run(target) {
      const graph = remote(target, "steps");
      must(await graph.invoke({ topic: "a" }), done("a"));
      must(await graph.invoke({ topic: "b" }, on()), done("b"));
      const told = remote(target, "told");
      const config = { configurable: { flavor: "red" }, tags: ["t"], context: { user: "ada" } };
      must(await told.invoke({ topic: "x" }, config), {
        ...{ topic: "x", told: { flavor: "red", user: "ada", tags: ["t"] } },
      });
    },
  },
  {
    name: "stream: one mode, several, and with subgraphs",
    async run(target) {
      const graph = remote(target, "steps");
      must(await collect(await graph.stream({ topic: "a" }, { streamMode: "updates" })), [
        { first: { items: ["first"] } },
        { second: { items: ["second"] } },
      ]);
      const both = await collect(await graph.stream({ topic: "a" }, { streamMode: ["values", "updates"] }));
      must(both.at(-1), ["values", done("a")]);
      must(both.length, 5, "chunks");
      const family = remote(target, "family");
      const inner = await collect(await family.stream({ topic: "x" }, { streamMode: "updates", subgraphs: true }));
      const child = is("the child's namespace", (namespace) => /^child:/.test(String(namespace)));
      must(inner.slice(0, 2), [
        [[child], { inner: { items: ["inner x"] } }],
        [[child], { close: { items: ["closed"] } }],
      ]);
      must(inner[3], [[], { after: { items: ["inner x", "closed", "after"] } }]);
    },
  },
  {
    name: "getState, updateState, getStateHistory",
    async run(target) {
      const graph = remote(target, "steps");
      const config = on();
      await graph.invoke({ topic: "a" }, config);
      const { thread_id } = config.configurable;
      const point = { configurable: having({ thread_id, checkpoint_ns: "", checkpoint_id: uuid }) };
      const newest = await graph.getState(config);
      must(newest, {
        ...{ values: done("a"), next: [], tasks: [], config: point, parentConfig: point, createdAt: text },
        metadata: having({ source: "loop", step: 2 }),
      });
      const states: { next: string[]; config: object }[] = [];
      for await (const state of graph.getStateHistory(config)) states.push(state as (typeof states)[0]);
      must(
        states.map(({ next }) => next),
        [[], ["second"], ["first"], ["__start__"]],
      );
      const [, second] = states;
      must((await graph.getState(second?.config ?? {})).next, ["second"]);
      const before: string[][] = [];
      const options = { limit: 1, before: second?.config ?? {} };
      for await (const { next } of graph.getStateHistory(config, options)) before.push(next as string[]);
      must(before, [["first"]]);
      must(await graph.updateState(config, { items: ["by hand"] }, "first"), point);
      const { values, next } = await graph.getState(config);
      must([values, next], [{ topic: "a", items: ["first", "second", "by hand"] }, ["second"]]);
    },
  },
  {
    name: "interrupts and their answers",
    async run(target) {
      const graph = remote(target, "asks");
      const config = on();
      const asked = await graph.invoke({ topic: "go" }, config).catch((error: unknown) => error);
      must(isGraphInterrupt(asked), true, "a GraphInterrupt");
      // It throws at the event that tells of the interrupt, which comes before the run's end.
      await eventually(async () => {
        const { tasks } = await graph.getState(config);
        must(tasks, [having({ name: "ask", interrupts: [having({ value: { question: "May I go?" } })] })]);
      });
      must(await graph.invoke(new Command({ resume: "yes" }), config), { topic: "go", items: ["answered yes"] });
    },
  },
  {
    name: "getGraphAsync draws it",
    async run(target) {
      const { nodes, edges } = await remote(target, "steps").getGraphAsync();
      must(Object.keys(nodes).sort(), ["__end__", "__start__", "first", "second"]);
      must(edges.length, 3, "edges");
    },
  },
  {
    name: "as a node of a local graph",
    async run(target) {
      const State = Annotation.Root({ topic: Annotation<string>, items: Annotation<string[]> });
      const graph = new StateGraph(State)
        .addNode("remote", remote(target, "steps"))
        .addNode("after", ({ items }) => ({ items: [...items, "after"] }))
        .addEdge(START, "remote")
        .addEdge("remote", "after")
        .addEdge("after", END)
        .compile();
      must(await graph.invoke({ topic: "a" }), { topic: "a", items: ["first", "second", "after"] });
    },
  },
  {
    name: "what the remote graph throws is thrown here",
    async run(target) {
      const error = await remote(target, "fails")
        .invoke({}, on())
        .catch((reason: unknown) => reason);
      must(
        error,
        is("an error that says planned", (value) => value instanceof Error && /planned/.test(value.message)),
      );
    },
  },
];
