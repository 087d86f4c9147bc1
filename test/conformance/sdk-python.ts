/** Every method of the newest Python SDK, asynchronous and blocking, against one server, and against several. */
import { fileURLToPath } from "node:url";
import { pythonWith } from "../support/environments.js";
import { type Outcome, outcomeOf } from "./cases.js";
import { startControl } from "./control.js";
import type { Size } from "./deployment.js";
import type { Context } from "./parts.js";
import { runProgram } from "./program.js";

const main = fileURLToPath(new URL("python/main.py", import.meta.url));

/** What the Python SDK and its RemoteGraph are taken from. */
export const PYTHON_PACKAGES = ["langgraph-sdk==0.4.14", "langgraph==1.2.24"];

export async function run(context: Context): Promise<Outcome> {
  const python = await pythonWith({ cache: context.cache, packages: PYTHON_PACKAGES, say: context.say });
  context.say("sdk-python: against one server, and against three servers and two workers");
  const against = async (size: Size) => {
    const entry = await (await context.deployment(size)).enter();
    const control = await startControl(entry);
    const environment = { API_URL: entry.url, CONTROL_URL: control.url, SIZE: size, PYTHONDONTWRITEBYTECODE: "1" };
    const outcome = await runProgram(python, [main], environment, `${size}, `);
    await control.stop();
    context.calls.set("python", [...(context.calls.get("python") ?? []), ...entry.calls]);
    return outcome;
  };
  return outcomeOf(await Promise.all([against("one"), against("many")]));
}
