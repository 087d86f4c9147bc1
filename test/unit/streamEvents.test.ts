import { expect, test } from "vitest";
import { StreamEvents } from "../../app/worker/streamEvents.js";

test("a mode that was not asked for is not sent, and the answer is made of the latest values all the same", () => {
  const events = new StreamEvents(["updates"], false);
  expect(events.graphModes).toEqual(["values", "updates"]);
  expect(events.convert([], "values", { a: 1 })).toEqual([]);
  expect(events.convert([], "updates", { node: { a: 2 } })).toEqual([{ event: "updates", data: '{"node":{"a":2}}' }]);
  events.convert([], "values", { a: 2 });
  expect(events.answer).toBe('{"a":2}');
});

test("the answer tells what the run waits for", () => {
  const events = new StreamEvents(["values"], false);
  events.convert([], "values", { a: 1 });
  events.convert([], "values", { __interrupt__: [{ id: "i", value: "?" }] });
  expect(JSON.parse(events.answer ?? "")).toEqual({ a: 1, __interrupt__: [{ id: "i", value: "?" }] });
});

test("a subgraph's events carry their namespace, where they were asked for, and no line break of a node's name", () => {
  expect(new StreamEvents(["updates"], false).convert(["child:1"], "updates", {})).toEqual([]);
  const events = new StreamEvents(["updates"], true);
  expect(events.convert(["ch\nild:1"], "updates", {})).toEqual([{ event: "updates|ch ild:1", data: "{}" }]);
});

test("a message is named after its graph, also where LangGraph names its node, as 1.4 does", () => {
  const events = new StreamEvents(["messages-tuple"], true);
  const nameOf = (namespace: string[]) => {
    const metadata = { langgraph_checkpoint_ns: "child:1|think:2" };
    return events.convert(namespace, "messages", [{ id: "m" }, metadata]).map(({ event }) => event);
  };
  expect(nameOf(["child:1"])).toEqual(["messages|child:1"]);
  expect(nameOf(["child:1", "think:2"])).toEqual(["messages|child:1"]);
});

test("interrupts are told with the latest state, all of them, and with what else a release puts beside them", () => {
  const events = new StreamEvents(["values"], false);
  const told = (chunk: object) => JSON.parse(events.convert([], "values", chunk)[0]?.data ?? "");
  told({ a: 1 });
  expect(told({ __interrupt__: [{ id: "i" }] })).toEqual({ a: 1, __interrupt__: [{ id: "i" }] });
  expect(told({ a: 2, __interrupt__: [{ id: "j" }] })).toEqual({ a: 2, __interrupt__: [{ id: "i" }, { id: "j" }] });
  expect(new StreamEvents(["checkpoints"], false).convert([], "checkpoints", { id: "c", step: 1 })).toEqual([]);
});

test("a chunked message is sent as it grows, once with its metadata; a whole one at once", () => {
  const chunk = (text: string) => ({
    id: "m",
    text,
    concat: (more: { text: string }) => chunk(text + more.text),
    toJSON: () => ({ id: "m", text }),
  });
  const events = new StreamEvents(["messages"], false);
  const names = [chunk("a"), chunk("b"), { id: "n", text: "whole" }].flatMap((message) =>
    events.convert([], "messages", [message, { step: 1 }]).map(({ event, data }) => [event, JSON.parse(data)]),
  );
  expect(names).toEqual([
    ["messages/metadata", { m: { metadata: { step: 1 } } }],
    ["messages/partial", [{ id: "m", text: "a" }]],
    ["messages/partial", [{ id: "m", text: "ab" }]],
    ["messages/metadata", { n: { metadata: { step: 1 } } }],
    ["messages/complete", [{ id: "n", text: "whole" }]],
  ]);
});

test("of LangChain's events those of hidden steps are not sent", () => {
  const events = new StreamEvents(["events"], false);
  expect(events.event({ tags: ["graph:step:0", "langsmith:hidden"] })).toEqual([]);
  expect(events.event({ tags: ["graph:step:1"] })).toEqual([{ event: "events", data: '{"tags":["graph:step:1"]}' }]);
});
