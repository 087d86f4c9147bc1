import { execFile } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { build } from "../../app/build.js";

const root = join(import.meta.dirname, "../..");

test("a build has every module and what stands beside it, and builds at once agree", async () => {
  const builds = await Promise.all([build(), build(), build()]);
  const [folder = ""] = builds;
  expect(new Set(builds).size).toBe(1);
  expect(realpathSync(join(root, "dist/app"))).toBe(folder);
  for (const file of ["main.js", "main.js.map", "runs/lua/claim.lua", "agents/langgraph.json", "agents/echo.js"])
    expect(existsSync(join(folder, file)), file).toBe(true);
  expect(readFileSync(join(folder, "main.js"), "utf8")).toContain('from "./settings.js"');
});

test("what is built runs without a loader", async () => {
  const run = promisify(execFile)(process.execPath, [join(await build(), "main.js"), "nonsense"]);
  await expect(run).rejects.toMatchObject({ code: 2, stderr: "usage: main.js server|worker|check\n" });
});
