import { expect, test } from "vitest";
import { compareExchanges, Ids } from "../conformance/differential/compare.js";
import type { Exchange, StreamedEvent } from "../conformance/differential/exchange.js";
import { Intentions } from "../conformance/differential/intentions.js";

const ONE = "11111111-1111-4111-8111-111111111111";
const TWO = "22222222-2222-4222-8222-222222222222";
const OTHER = "99999999-9999-4999-8999-999999999999";

const answer = (given: Partial<Exchange>): Exchange => ({
  ...{ operation: "GET /it", about: "", status: 200, headers: {}, body: undefined, events: undefined },
  ...given,
});

const differences = (theirs: Partial<Exchange>, ours: Partial<Exchange>, ids = new Ids()) =>
  compareExchanges(answer(theirs), answer(ours), ids).map(({ path, development, ours }) => [path, development, ours]);

const streamed = (...names: string[]): { events: StreamedEvent[] } => ({
  events: names.map((event) => ({ id: "1", event, data: null })),
});

test("fields, statuses and headers that differ are named, with what each side says", () => {
  const theirs = { status: 200, headers: { location: "/a" }, body: { same: 1, list: [{ a: 1 }], gone: null } };
  const ours = { status: 204, headers: {}, body: { same: 1, list: [{ a: 2 }], more: [] } };
  expect(differences(theirs, ours)).toEqual([
    ["status", "200", "204"],
    ["headers.location", '"/a"', "nothing"],
    ["body.list.0.a", "1", "2"],
    ["body.gone", "null", "nothing"],
    ["body.more", "nothing", "[]"],
  ]);
  expect(differences({ body: [] }, { body: {} })).toEqual([["body", "[]", "{}"]]);
});

test("ids and times are the same when they stand at the same places, all through a scenario", () => {
  const ids = new Ids();
  const at = "2026-01-02T03:04:05.678Z";
  expect(differences({ body: { id: ONE, at } }, { body: { id: TWO, at: "2025-01-01T00:00:00+00:00" } }, ids)).toEqual(
    [],
  );
  expect(differences({ body: { [`n:${ONE}`]: 1 } }, { body: { [`n:${TWO}`]: 1 } }, ids)).toEqual([]);
  expect(differences({ body: `run-${ONE}` }, { body: `run-${OTHER}` }, ids)).toEqual([
    ["body", '"run-<id>"', '"run-<another id>"'],
  ]);
  expect(differences({ body: OTHER }, { body: TWO }, ids)).toEqual([["body", '"<id>"', '"<another id>"']]);
});

test("of two refusals the form counts; what one refuses and the other does differs by its status alone", () => {
  const refused = (body: unknown) => ({ status: 404, body });
  expect(differences(refused("not here"), refused({ detail: "it is not here" }))).toEqual([
    ["body", '"string"', '"detail: string"'],
  ]);
  expect(differences(refused({ detail: "a" }), refused({ detail: "b" }))).toEqual([]);
  expect(differences(refused("not here"), { status: 200, body: { a: 1 } })).toEqual([["status", "404", "200"]]);
});

test("an event that one side has alone is one difference, and the others still meet", () => {
  const one = streamed("metadata", "values", "updates", "values");
  expect(differences(one, streamed("metadata", "values", "values", "end"))).toEqual([
    ["events.updates", '"an event"', "nothing"],
    ["events.end", "nothing", '"an event"'],
  ]);
  expect(differences({ events: [] }, {})).toEqual([["events", '"a stream"', "nothing"]]);
});

test("an intended difference covers what it names and nothing else, and tells when it is gone", () => {
  const why = { because: "it is so", source: "here" };
  const met = { path: "body.*.name", development: '"a"', ...why };
  const unmet = { operations: ["GET /other"], path: "**", ...why };
  const intentions = new Intentions([met, unmet]);
  const difference = { operation: "GET /it", about: "", path: "body.0.name", development: '"a"', ours: '"b"' };
  expect(intentions.include(difference)).toBe(true);
  expect(intentions.include({ ...difference, development: '"c"' })).toBe(false);
  expect(intentions.include({ ...difference, path: "body.0.more.name" })).toBe(false);
  expect(intentions.gone()).toEqual([unmet]);
});
