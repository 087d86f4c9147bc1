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

/** Most that the servers' first answer and the run may take, ms. */
export const limits = { firstMs: 15_000, runMs: 120_000 };

/** What should have come and did not; `where` it went wrong says what can help. */
export class TrialFailure extends Error {
  override name = "TrialFailure";

  constructor(
    readonly where: "name" | "way" | "deployment" | "agent",
    message: string,
  ) {
    super(message);
  }
}

/**
 * @returns what was seen, in words
 * @throws TrialFailure
 */
export async function tryAgent(
  { url, apiKey }: Pick<Outputs, "url" | "apiKey">,
  trial: Trial,
  { firstMs, runMs } = limits,
): Promise<string> {
  const post = async (path: string, body: object, limitMs: number) => {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": apiKey },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(limitMs),
    }).catch((error: unknown) => {
      throw unreached(error, limitMs);
    });
    if (!response.ok) throw await refused(`POST ${path}`, response);
    if (!/html/.test(response.headers.get("content-type") ?? "")) return response;
    throw new TrialFailure("way", "what answers there is not Switchyard: it is a web page");
  };
  const search = await post("/assistants/search", { limit: 100 }, firstMs);
  const assistants: unknown = await search.json().catch(() => {
    throw new TrialFailure("way", "what answers there is not Switchyard: its list of assistants is no JSON");
  });
  const agent = trial.agent ?? pick(assistants);
  const began = performance.now();
  const asked = { assistant_id: agent, input: trial.input, stream_mode: ["values"] };
  const events = eventsOf(await textOf(await post("/runs/stream", asked, runMs), agent, runMs));
  judge(events, agent);
  const values = events.filter(({ event }) => event === "values").length;
  return `${agent} answered in ${Math.round(performance.now() - began)} ms: metadata, ${values} values, end`;
}

function unreached(error: unknown, limitMs: number): TrialFailure {
  if (!(error instanceof Error)) return new TrialFailure("way", String(error));
  if (error.name === "TimeoutError") return new TrialFailure("way", `no answer within ${limitMs / 1000} s`);
  // `fetch` says only that it failed; why is its cause.
  const { cause } = error;
  const isUnknownName = cause instanceof Error && "code" in cause && cause.code === "ENOTFOUND";
  const words = cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
  return new TrialFailure(isUnknownName ? "name" : "way", words);
}

async function refused(call: string, response: Response): Promise<TrialFailure> {
  const { status } = response;
  if (status === 503) return new TrialFailure("deployment", "the load balancer has no healthy server (503)");
  if (status === 401)
    return new TrialFailure(
      "deployment",
      "the servers don't know the stack's API key (401): are they of the last pulumi up?",
    );
  const isPage = /html/.test(response.headers.get("content-type") ?? "");
  const body = isPage ? "" : `: ${(await response.text()).slice(0, 500)}`;
  return new TrialFailure("deployment", `${call} answered ${status}${body}`);
}

/** A stream's text. What came until the time was over tells whether a worker was there. */
async function textOf({ body }: Response, agent: string, limitMs: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of body ?? []) text += decoder.decode(chunk, { stream: true });
  } catch (error) {
    if (!(error instanceof Error && error.name === "TimeoutError")) throw unreached(error, limitMs);
    const took = eventsOf(text).some(({ event }) => event !== "metadata");
    const problem = took
      ? `the run of ${agent} did not end within ${limitMs / 1000} s`
      : `the servers answer, but no worker took the run within ${limitMs / 1000} s`;
    throw new TrialFailure(took ? "agent" : "deployment", problem);
  }
  return text;
}

function pick(assistants: unknown): string {
  const graphs = (Array.isArray(assistants) ? assistants : []).map((each) =>
    isObject(each) ? each.graph_id : undefined,
  );
  const [first] = graphs.includes("echo") ? ["echo"] : graphs;
  if (typeof first !== "string") throw new TrialFailure("deployment", "the servers know no assistant");
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
  if (failed) throw new TrialFailure("agent", `the run of ${agent} failed: ${failed.data}`);
  const seen = events.map(({ event }) => event).join(", ") || "nothing";
  if (
    events[0]?.event !== "metadata" ||
    !events.some(({ event }) => event === "values") ||
    events.at(-1)?.event !== "end"
  )
    throw new TrialFailure("deployment", `the stream of ${agent} should be metadata, values, end; it was ${seen}`);
}
