/** One run through the load balancer, as a client would start it, streamed to its end. */
import { isObject } from "../config/values.js";
import type { Outputs } from "./outputs.js";

export interface Trial {
  /** Without one `echo` where it is deployed, else the first. */
  agent: string | undefined;
  input: unknown;
}

interface Event {
  event: string;
  data: string;
}

/** Most that the run may take, ms. */
const LIMIT_MS = 120_000;

/**
 * @returns what was seen, in words
 * @throws Error that says what should have come and did not
 */
export async function tryAgent({ url, apiKey }: Pick<Outputs, "url" | "apiKey">, trial: Trial): Promise<string> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const post = async (path: string, body: object) => {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": apiKey },
      body: JSON.stringify(body),
      signal,
    });
    if (response.ok) return response;
    throw new Error(`POST ${path} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
  };
  const agent = trial.agent ?? pick(await (await post("/assistants/search", { limit: 100 })).json());
  const began = performance.now();
  const stream = await post("/runs/stream", { assistant_id: agent, input: trial.input, stream_mode: ["values"] });
  const events = eventsOf(await stream.text());
  judge(events, agent);
  const values = events.filter(({ event }) => event === "values").length;
  return `${agent} answered in ${Math.round(performance.now() - began)} ms: metadata, ${values} values, end`;
}

function pick(assistants: unknown): string {
  const graphs = (Array.isArray(assistants) ? assistants : []).map((each) =>
    isObject(each) ? each.graph_id : undefined,
  );
  const [first] = graphs.includes("echo") ? ["echo"] : graphs;
  if (typeof first !== "string") throw new Error("the servers know no assistant");
  return first;
}

/** Of a whole stream; comments between events are heartbeats. */
export function eventsOf(stream: string): Event[] {
  const field = (block: string, name: string) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1] ?? "";
  return stream
    .split(/\r?\n\r?\n/)
    .map((block) => ({ event: field(block, "event"), data: field(block, "data") }))
    .filter(({ event }) => event !== "");
}

function judge(events: Event[], agent: string): void {
  const failed = events.find(({ event }) => event === "error");
  if (failed) throw new Error(`the run of ${agent} failed: ${failed.data}`);
  const seen = events.map(({ event }) => event).join(", ") || "nothing";
  if (
    events[0]?.event !== "metadata" ||
    !events.some(({ event }) => event === "values") ||
    events.at(-1)?.event !== "end"
  )
    throw new Error(`the stream of ${agent} should be metadata, values, end; it was ${seen}`);
}
