/** Every method of the newest JavaScript SDK, against one server, and against several behind the load balancer. */
import { type Outcome, outcomeOf, runCases } from "./cases.js";
import type { Size } from "./deployment.js";
import { coreCases, wideCases } from "./js/cases.js";
import { uncalled } from "./js/methods.js";
import type { Context } from "./parts.js";

export async function run(context: Context): Promise<Outcome> {
  context.say("sdk-js: against one server, and against three servers and two workers");
  const against = async (size: Size) => {
    const entry = await (await context.deployment(size)).enter();
    const outcome = await runCases(size === "one" ? coreCases : wideCases, entry, `${size}: `);
    for (const method of uncalled(entry.client, entry.methods))
      outcome.failed.push(`${size}: ${method} was not called`);
    context.calls.set("js", [...(context.calls.get("js") ?? []), ...entry.calls]);
    return outcome;
  };
  return outcomeOf(await Promise.all([against("one"), against("many")]));
}
