/** What a newcomer is told when everything is up. */
import { expect, test } from "vitest";
import { readyText } from "../../app/local/ready.js";

const told = (http: object) =>
  readyText("http://127.0.0.1:8000", "/not/there.json", { LANGGRAPH_HTTP: JSON.stringify(http) }, false);

test("leads to the page of all routes, where there is one", () => {
  expect(told({})).toContain("http://127.0.0.1:8000/docs\n");
  expect(told({ mount_prefix: "/api" })).toContain("http://127.0.0.1:8000/api/docs\n");
  expect(told({ disable_meta: true })).not.toMatch(/docs|openapi/);
});
