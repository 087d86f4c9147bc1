import { expect, test } from "vitest";
import { readable } from "../../app/local/logLine.js";

const line = (entry: object) =>
  JSON.stringify({ level: 30, time: "2026-11-23T13:49:15.552Z", instance: "worker-1", role: "worker", ...entry });
const time = new Date("2026-11-23T13:49:15.552Z").toTimeString().slice(0, 8);

test("a role's JSON line reads as a sentence with its details, in local time", () => {
  const entry = { event: "run_ended", runId: "r1", status: "success", msg: "run ended" };
  expect(readable(line(entry))).toEqual([`${time} run ended  runId=r1 status=success`]);
});

test("warnings and errors say so", () => {
  expect(readable(line({ level: 40, msg: "slow" }))).toEqual([`${time} warning: slow`]);
  expect(readable(line({ level: 50, msg: "broken" }))).toEqual([`${time} error: broken`]);
});

test("of an error's frames the user's own are shown, one a line", () => {
  const frames = [
    "    at mine (/p/agent.ts:6:1)",
    "    at theirs (/p/node_modules/x/index.js:1:1)",
    "    at node:internal:1",
  ];
  expect(readable(line({ level: 50, msg: "graph failed", error: "TypeError", frames }))).toEqual([
    `${time} error: graph failed  error=TypeError`,
    "    at mine (/p/agent.ts:6:1)",
  ]);
});

test("what a user's graph prints stays as it is, also its own JSON lines", () => {
  for (const text of ["hello", '{"level":30, cut', '{"mine":1}', "", '{"level":30,"time":1,"msg":"my own"}'])
    expect(readable(text)).toEqual([text]);
});
