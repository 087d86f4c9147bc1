/** Versions of the SDKs that people still have: the oldest that installs, the last of an old line, a recent one. */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeWith, pythonWith } from "../support/environments.js";
import { type Outcome, outcomeOf } from "./cases.js";
import type { Context } from "./parts.js";
import { runProgram } from "./program.js";

const JS = ["0.0.1", "0.0.112", "1.9.31"];
const PYTHON = ["0.1.0", "0.1.74"];
/** The newest SDKs name it as a peer. */
const CORE = "@langchain/core@1.4.0";

const [script, program] = ["old/smoke.mjs", "old/smoke.py"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

export async function run({ cache, say, deployment }: Context): Promise<Outcome> {
  if (!script || !program) throw new Error("the smoke tests are here");
  const { url } = await (await deployment("one")).enter();
  const environment = { API_URL: url };
  const js = JS.map(async (version) => {
    const packages = [`@langchain/langgraph-sdk@${version}`, ...(version.startsWith("0.") ? [] : [CORE])];
    const home = await nodeWith({ cache, packages, say });
    const smoke = join(home, "smoke.mjs");
    await copyFile(script, smoke);
    return await runProgram(process.execPath, [smoke], environment, `JavaScript ${version}: `);
  });
  const python = PYTHON.map(async (version) => {
    const path = await pythonWith({ cache, packages: [`langgraph-sdk==${version}`], say });
    return await runProgram(path, [program], environment, `Python ${version}: `);
  });
  return outcomeOf(await Promise.all([...js, ...python]));
}
