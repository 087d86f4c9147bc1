/** What the conformance suite judges by. */
import { expect, test } from "vitest";
import { OPERATIONS, operationOf } from "../conformance/operations.js";
import { readOptions } from "../conformance/options.js";
import { each, having, must, some, text, time, uuid } from "../conformance/shape.js";
import { UsageError } from "../support/commandLine.js";

const id = "01a2150d-5d28-7590-9804-5d9ee9a25c37";

test("an answer must have the wanted fields and no others", () => {
  must({ id, at: "2026-11-25T23:32:07.123Z", list: [1, { a: null }] }, { id: uuid, at: time, list: [1, { a: null }] });
  must({ a: 1, b: 2, c: undefined }, { a: 1, b: 2 });
  must([{ a: 1, b: 2 }, { a: 1 }], each(having({ a: 1 })));
});

test.each([
  ["a field more", { a: 1, b: 2 }, { a: 1 }, "answer.b is not wanted: 2"],
  ["a field less", {}, { a: 1 }, "answer.a must be 1, not undefined"],
  ["another value, deep within", { a: [{ b: 1 }] }, { a: [{ b: 2 }] }, "answer.a[0].b must be 2, not 1"],
  ["a longer list", [1, 2], [1], "answer must have 1 elements: [1,2]"],
  ["a list that is none", {}, [], "answer must be a list, not {}"],
  ["null instead of an object", null, {}, "answer must be an object, not null"],
  ["one of many that is not so", [{ a: 1 }, { a: 2 }], each(having({ a: 1 })), "answer[1].a must be 1, not 2"],
  ["an empty list of what must be shown", [], some(text), "answer must not be empty"],
  ["an empty text", "", text, 'answer must be a text, not ""'],
])("%s is named", (_what, value, wanted, sentence) => {
  expect(() => must(value, wanted)).toThrow(sentence);
});

test("a call belongs to the operation that names most of its path", () => {
  const of = (method: string, path: string) => operationOf({ method, path, status: 200 }, OPERATIONS);
  expect(of("POST", "/threads/search")).toBe("POST /threads/search");
  expect(of("GET", `/threads/${id}`)).toBe("GET /threads/{thread_id}");
  expect(of("GET", `/threads/${id}/state/${id}`)).toBe("GET /threads/{thread_id}/state/{checkpoint_id}");
  expect(of("POST", "/runs/stream")).toBe("POST /runs/stream");
  expect(of("GET", `/runs/${id}/stream`)).toBe("GET /runs/{run_id}/stream");
  expect(of("DELETE", "/nowhere")).toBeUndefined();
});

test("wrong usage is told, and the table runs what it tells of", () => {
  expect(() => readOptions(["--only", "nothing"], "/")).toThrow(UsageError);
  expect(() => readOptions(["--verbose"], "/")).toThrow(UsageError);
  expect(readOptions(["--help"], "/")).toBeUndefined();
  expect(readOptions(["--only", "table", "--json", "report.json"], "/folder")).toEqual({
    ...{ parts: ["http", "sdk-js", "sdk-python", "table"], write: false, json: "/folder/report.json" },
  });
});
