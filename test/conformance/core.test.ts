/** The core of `npm run conformance`: every method of the JavaScript SDK against one server. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { CASE_LIMIT_MS } from "./cases.js";
import { type Deployment, deploy, type Entry } from "./deployment.js";
import { coreCases } from "./js/cases.js";

let deployment: Deployment;
let entry: Entry;
beforeAll(async () => {
  deployment = await deploy("one");
  entry = await deployment.enter();
}, 60_000);
afterAll(() => deployment.stop());

describe.concurrent("of many threads at once", () => {
  for (const { name, run } of coreCases.filter(({ alone }) => !alone))
    test(name, async () => await run(entry), CASE_LIMIT_MS);
});

describe("alone", () => {
  for (const { name, run } of coreCases.filter(({ alone }) => alone))
    test(name, async () => await run(entry), CASE_LIMIT_MS);
});
