import {
  AIMessage,
  AIMessageChunk,
  HumanMessage,
  RemoveMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import { Command, Send } from "@langchain/langgraph";
import fc from "fast-check";
import { expect, test } from "vitest";
import { describeError, SerializationError, toJson } from "../../app/graphs/serialize.js";

const wire = (value: unknown) => JSON.parse(toJson(value));

test("messages are their fields and their type", () => {
  const call = { name: "search", args: { query: "x" }, id: "c", type: "tool_call" as const };
  const messages = [
    new SystemMessage("be kind"),
    new HumanMessage({ content: "hi", id: "1", name: "Ada", additional_kwargs: { a: 1 } }),
    new AIMessage({ content: "", tool_calls: [call], response_metadata: { model: "m" } }),
    new ToolMessage({ content: "found", tool_call_id: "c", artifact: { rows: [1] }, status: "success" }),
    new RemoveMessage({ id: "1" }),
  ];
  expect(wire({ messages })).toEqual({
    messages: [
      { type: "system", content: "be kind", additional_kwargs: {}, response_metadata: {} },
      { type: "human", content: "hi", id: "1", name: "Ada", additional_kwargs: { a: 1 }, response_metadata: {} },
      {
        type: "ai",
        content: "",
        tool_calls: [call],
        invalid_tool_calls: [],
        additional_kwargs: {},
        response_metadata: { model: "m" },
      },
      {
        type: "tool",
        content: "found",
        tool_call_id: "c",
        artifact: { rows: [1] },
        status: "success",
        additional_kwargs: {},
        response_metadata: {},
      },
      { type: "remove", content: [], id: "1", additional_kwargs: {}, response_metadata: {} },
    ],
  });
});

test("a chunk has the type of its message, and the parts of its tool calls", () => {
  const part = { name: "search", args: '{"que', id: "c", index: 0, type: "tool_call_chunk" as const };
  const chunk = new AIMessageChunk({ content: "tok", id: "run-1", tool_call_chunks: [part] });
  expect(wire([chunk, { langgraph_node: "n" }])).toMatchObject([
    { type: "ai", content: "tok", id: "run-1", tool_call_chunks: [part] },
    { langgraph_node: "n" },
  ]);
});

test("what was changed after construction, and content given as blocks, is there", () => {
  const message = new AIMessage({ contentBlocks: [{ type: "text", text: "hi" }] });
  message.id = "later";
  expect(wire(message)).toMatchObject({ id: "later", content: [{ type: "text", text: "hi" }] });
  expect(wire(message)).not.toHaveProperty("contentBlocks");
});

test("commands, sends and errors are shown as plain values", () => {
  const command = new Command({ goto: new Send("node", { messages: [new HumanMessage("hi")] }), update: { a: 1n } });
  expect(wire(command)).toMatchObject({
    goto: [{ node: "node", args: { messages: [{ type: "human", content: "hi" }] } }],
    update: { a: "1" },
  });
  expect(wire({ failed: new TypeError("no") })).toEqual({ failed: { error: "TypeError", message: "no" } });
});

test("values that JSON doesn't have", () => {
  const values = {
    map: new Map([["a", new Set([1])]]),
    pairs: new Map([[1, "one"]]),
    date: new Date(0),
    big: 2n ** 64n,
    bytes: new Uint8Array([1, 2, 255]),
    buffer: Buffer.from("hi"),
    nan: Number.NaN,
    infinite: [Number.POSITIVE_INFINITY],
    gone: undefined,
    none: [undefined, () => 1],
    instance: new (class {
      shown = 1;
    })(),
  };
  expect(wire(values)).toEqual({
    map: { a: [1] },
    pairs: [[1, "one"]],
    date: "1970-01-01T00:00:00.000Z",
    big: "18446744073709551616",
    bytes: "AQL/",
    buffer: "aGk=",
    nan: null,
    infinite: [null],
    none: [null, null],
    instance: { shown: 1 },
  });
  expect(toJson(undefined)).toBe("null");
});

test("the value itself stays as it was", () => {
  const value = { list: [1n, new HumanMessage("hi")], map: new Map() };
  toJson(value);
  expect(value).toEqual({ list: [1n, new HumanMessage("hi")], map: new Map() });
});

test("plain data is what JSON.stringify makes of it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(toJson(value)).toBe(JSON.stringify(value));
    }),
  );
});

test("a value that refers to itself is refused with the place where it does", () => {
  const state: Record<string, unknown> = { messages: [] };
  state.list = [1, { parent: state }];
  expect(() => toJson(state)).toThrow(new SerializationError("the value refers to itself at list.1.parent"));
});

test("a value may be nested deep, and the same part may be in it twice", () => {
  const part = { text: "same" };
  let deep: unknown = [part, part];
  for (let level = 0; level < 900; level++) deep = [deep];
  expect(toJson(deep)).toBe(JSON.stringify(deep));
  for (let level = 0; level < 200; level++) deep = [deep];
  expect(() => toJson(deep)).toThrow(new SerializationError("the value is nested more than 1000 deep"));
});

test.each([
  [new RangeError("too far"), { error: "RangeError", message: "too far" }],
  [
    { name: "TypeError", message: "stored" },
    { error: "TypeError", message: "stored" },
  ],
  ["a text", { error: "Error", message: "a text" }],
  [{ code: 5 }, { error: "Error", message: '{"code":5}' }],
  [undefined, { error: "Error", message: "null" }],
])("%s is described as an error", (thrown, described) => {
  expect(describeError(thrown)).toEqual(described);
});
