/** A release refuses data that it can't serve, and says what to do. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { checkModel, dataModel } from "../../app/data/model.js";
import { builtApp } from "../support/build.js";
import { type Core, startCore } from "../support/core.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
beforeEach(async () => {
  await core.admin.flushall();
});
afterAll(() => core.stop());

const stored = () => core.admin.hget("sw:meta", "model");

test("the version is written where there is none, and stays as it is", async () => {
  await checkModel(core.redis, core.keys);
  expect(await stored()).toBe(String(dataModel.writes));
  await checkModel(core.redis, core.keys, { writes: dataModel.writes + 1, reads: dataModel.writes });
  expect(await stored()).toBe(String(dataModel.writes));
});

test("a format that is too new or too old is refused with the release to pass through", async () => {
  await core.admin.hset("sw:meta", "model", 3);
  await expect(checkModel(core.redis, core.keys, { writes: 2, reads: 1 })).rejects.toThrow(
    "version 3, and this release knows it up to 2: deploy the release that wrote it, or a later one",
  );
  await expect(checkModel(core.redis, core.keys, { writes: 5, reads: 4 })).rejects.toThrow(
    "version 3, and this release reads it from 4 on: first deploy a release that reads 3 and writes 4",
  );
});

test.each(["server", "worker"])("a %s on such data ends with 2 and one sentence", async (role) => {
  await core.admin.hset("sw:meta", "model", 99);
  const child = fork(join(builtApp(), "main.js"), [role], {
    env: {
      ...{ PATH: process.env.PATH, REDIS_URL: core.url, PORT: "0", HEALTH_PORT: "0" },
      LANGGRAPH_CONFIG_FILE: join(builtApp(), "agents", "langgraph.json"),
    },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: [],
  });
  let said = "";
  child.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  expect((await once(child, "close"))[0]).toBe(2);
  expect(said.trim()).toMatch(/^Redis holds data of version 99, .*$/);
});
