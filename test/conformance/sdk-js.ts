/** Every method of the newest JavaScript SDK, against one server, and against several behind the load balancer. */
import { type Outcome, outcomeOf, runCases } from "./cases.js";
import { coreCases, wideCases } from "./js/cases.js";
import type { Context } from "./parts.js";

export async function run(context: Context): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const size of ["one", "many"] as const) {
    context.say(`sdk-js: against ${size === "one" ? "one server" : "three servers and two workers"}`);
    const entry = await (await context.deployment(size)).enter();
    outcomes.push(await runCases(size === "one" ? coreCases : wideCases, entry, `${size}: `));
    context.calls.set("js", [...(context.calls.get("js") ?? []), ...entry.calls]);
  }
  return outcomeOf(outcomes);
}
