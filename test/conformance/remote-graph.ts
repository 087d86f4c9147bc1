/** RemoteGraph, of LangGraph.js and of Python's LangGraph, against several servers. */
import { fileURLToPath } from "node:url";
import { pythonWith } from "../support/environments.js";
import { type Outcome, outcomeOf, runCases } from "./cases.js";
import { remoteGraphCases } from "./js/remoteGraph.js";
import type { Context } from "./parts.js";
import { runProgram } from "./program.js";
import { PYTHON_PACKAGES } from "./sdk-python.js";

const program = fileURLToPath(new URL("python/remote_graph.py", import.meta.url));

export async function run({ cache, say, deployment }: Context): Promise<Outcome> {
  const python = await pythonWith({ cache, packages: PYTHON_PACKAGES, say });
  const entry = await (await deployment("many")).enter();
  const environment = { API_URL: entry.url, PYTHONDONTWRITEBYTECODE: "1" };
  return outcomeOf([
    await runCases(remoteGraphCases, entry, "JavaScript: "),
    await runProgram(python, [program], environment, "Python: "),
  ]);
}
