/** Requests of a scenario to one side, written down with their answers. */
import { createParser } from "eventsource-parser";

export interface StreamedEvent {
  id: string | undefined;
  event: string;
  /** Parsed where it is JSON. */
  data: unknown;
}

export interface Exchange {
  /** As the reference names it, such as `GET /threads/{thread_id}`. */
  operation: string;
  /** What is asked for; with the operation it tells the exchanges of a scenario apart. */
  about: string;
  status: number;
  /** Those that SDKs read. */
  headers: Record<string, string>;
  /** Parsed where it is JSON; undefined where there is none, or where it is a stream. */
  body: unknown;
  events: StreamedEvent[] | undefined;
}

export interface Request {
  about?: string;
  path?: Record<string, string>;
  query?: Record<string, string>;
  body?: unknown;
  headers?: Record<string, string>;
  /** Called with each event of a stream before the next one is read. @returns `leave` to close the connection */
  onEvent?: (event: StreamedEvent, exchange: Exchange) => Promise<"leave" | undefined>;
  /** The answer's list is in an order that nobody promises: it is compared in the order of these. */
  sortBy?: (item: Record<string, unknown>) => string;
}

/** What the SDKs read from an answer. */
const HEADERS = ["content-type", "content-location", "location", "x-pagination-total", "x-pagination-next"];

/** Longer than any answer here takes: a side that never answers is a difference, not a test that hangs. */
const ANSWERS_WITHIN_MS = 20_000;

export class Exchanges {
  readonly all: Exchange[] = [];

  constructor(readonly url: string) {}

  /** A request that is compared. */
  async call(operation: string, request: Request = {}): Promise<Exchange> {
    const exchange = await this.send(operation, request);
    this.all.push(exchange);
    return exchange;
  }

  /** A request that only prepares a scenario, or waits for something. */
  async send(operation: string, request: Request = {}): Promise<Exchange> {
    const [method = "", template = ""] = operation.split(" ");
    const path = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(request.path?.[name] ?? ""));
    const query = new URLSearchParams(request.query);
    const response = await fetch(`${this.url}${path}${query.size > 0 ? `?${query}` : ""}`, {
      method,
      headers: { ...(request.body !== undefined && { "content-type": "application/json" }), ...request.headers },
      ...(request.body !== undefined && { body: bodyText(request.body) }),
      signal: AbortSignal.timeout(ANSWERS_WITHIN_MS),
    });
    const exchange: Exchange = {
      operation,
      about: request.about ?? "",
      status: response.status,
      headers: headersOf(response),
      body: undefined,
      events: undefined,
    };
    if (response.headers.get("content-type")?.startsWith("text/event-stream"))
      await readEvents(response, exchange, request);
    else exchange.body = sorted(parsed(await response.text()), request.sortBy);
    return exchange;
  }

  /** Waits until a request's answer is such. */
  async until(operation: string, request: Request, isSo: (exchange: Exchange) => boolean): Promise<Exchange> {
    const deadline = Date.now() + ANSWERS_WITHIN_MS;
    for (;;) {
      const exchange = await this.send(operation, request);
      if (isSo(exchange)) return exchange;
      if (Date.now() > deadline) throw new Error(`${this.url}: ${operation} never answered as it should`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

const POLL_MS = 25;

const bodyText = (body: unknown) => (typeof body === "string" ? body : JSON.stringify(body));

function headersOf({ headers }: Response): Record<string, string> {
  const found = HEADERS.flatMap((name) => {
    const value = headers.get(name);
    // Parameters of a type say nothing to SDKs.
    return value === null ? [] : [[name, name === "content-type" ? (value.split(";")[0] ?? "") : value]];
  });
  return Object.fromEntries(found);
}

function parsed(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function sorted(body: unknown, sortBy: Request["sortBy"]): unknown {
  if (!sortBy) return body;
  if (Array.isArray(body)) return body.toSorted((one, other) => sortBy(one).localeCompare(sortBy(other)));
  const isFound = typeof body === "object" && body !== null && "items" in body;
  return isFound ? { ...body, items: sorted(body.items, sortBy) } : body;
}

async function readEvents(response: Response, exchange: Exchange, { onEvent }: Request): Promise<void> {
  const events: StreamedEvent[] = [];
  exchange.events = events;
  const arrived: StreamedEvent[] = [];
  const parser = createParser({
    onEvent: ({ id, event = "", data }) => arrived.push({ id, event, data: parsed(data) }),
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    for (const event of arrived.splice(0)) {
      events.push(event);
      // Leaving the loop closes the connection.
      if ((await onEvent?.(event, exchange)) === "leave") return;
    }
  }
}
