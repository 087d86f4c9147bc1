/**
 * What is told of a route: the declaration that `resource.ts` validates by, and how it becomes an operation of the OpenAPI
 * document, with every refusal that may come before the handler is asked.
 */
import type { OpenAPIRegistry, ResponseConfig, RouteConfig } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { Refusal } from "./shapes.js";

/** What an answer holds, for the document: a sentence, with a schema and headers where it has them. */
export interface Answer {
  description: string;
  json?: z.ZodType;
  /** The content is a stream of server-sent events. */
  events?: true;
  /** The headers are sent at once, and the content when the run has ended. */
  late?: true;
  /** The content is, or may be, text of this media type, or of one of these. */
  text?: string | readonly string[];
  headers?: Record<string, string>;
}

export interface Operation<P extends z.ZodObject, Q extends z.ZodObject, H extends z.ZodObject, B extends z.ZodType> {
  summary: string;
  description?: string;
  params?: P;
  query?: Q;
  /** Names in lower case. */
  headers?: H;
  body?: B;
  /** By status. Refusals every operation may give (400, 401, 422, 503, …) are added. */
  answers: Record<number, string | Answer>;
  /** Needs no key. */
  open?: true;
}

export type AnyOperation = Operation<z.ZodObject, z.ZodObject, z.ZodObject, z.ZodType>;
export type Method = "get" | "post" | "put" | "patch" | "delete";

/** Whether its answers stay open while a run goes on. */
export function isHeld({ answers }: Pick<AnyOperation, "answers">): boolean {
  return Object.values(answers).some((answer) => typeof answer !== "string" && (answer.events || answer.late));
}

const ServerSentEvent = z
  .object({
    event: z.string().describe("the stream mode, with a subgraph's namespace after a bar; or metadata, error, end"),
    data: z.string().describe("JSON"),
    id: z.string().describe("where to go on from: send it as Last-Event-ID"),
  })
  .partial()
  .meta({ id: "ServerSentEvent" });

/** Refusals that come before the handler is asked, by status. */
const REFUSALS: Record<number, { name: string; description: string }> = {
  400: { name: "Malformed", description: "the path has a wrong percent-encoding, or the request itself is malformed" },
  401: { name: "NoKey", description: "no key, or a wrong one" },
  413: { name: "TooLarge", description: "the body is larger than `MAX_BODY_BYTES`" },
  414: { name: "UrlTooLong", description: "the address is longer than `MAX_URL_BYTES`" },
  415: {
    name: "NotJson",
    description: "the body is not sent as `application/json`, in UTF-8, without a content-encoding",
  },
  422: { name: "Invalid", description: "what is wrong, with the name of the field" },
  429: { name: "TooMany", description: "this client has `MAX_STREAMS_PER_CLIENT` streams and waiting requests open" },
  431: { name: "HeadersTooLarge", description: "the headers are larger than `MAX_HEADER_BYTES`" },
  500: { name: "Bug", description: "a bug; the log has its stack under the answer's `x-request-id`" },
  503: { name: "Unavailable", description: "the database does not answer, or too many requests are open; try again" },
};
const RETRY_AFTER = { "Retry-After": { description: "seconds", schema: { type: "string" as const } } };
const hasRetryAfter = (status: number) => status === 429 || status === 503;

/** What the document has once, and its operations name. */
export function registerRefusals(registry: OpenAPIRegistry): void {
  for (const [status, { name, description }] of Object.entries(REFUSALS))
    registry.registerComponent("responses", name, {
      description,
      ...(hasRetryAfter(Number(status)) && { headers: RETRY_AFTER }),
      content: { "application/json": { schema: { $ref: "#/components/schemas/Refusal" } } },
    });
}

/** @param path in Express's form, such as `/threads/:thread_id` */
export function documentOperation(
  registry: OpenAPIRegistry,
  method: Method,
  path: string,
  operation: AnyOperation,
): void {
  const { summary, description, params, query, headers, body, open } = operation;
  registry.registerPath({
    method,
    path: path.replace(/:(\w+)/g, "{$1}"),
    operationId: operationId(method, path),
    summary,
    ...(description && { description }),
    tags: [tagOf(path)],
    ...(open && { security: [] }),
    request: {
      params,
      query,
      ...(headers && { headers }),
      ...(body && { body: { required: !acceptsNothing(body), content: { "application/json": { schema: body } } } }),
    },
    responses: responsesOf(operation),
  });
}

function responsesOf(operation: AnyOperation): RouteConfig["responses"] {
  const { answers, params, query, headers, body, open } = operation;
  const refusals = [
    ...[400, 414, 431, 500],
    ...(open ? [] : [401, 503]),
    ...(body ? [413, 415] : []),
    ...(params || query || headers || body ? [422] : []),
    ...(isHeld(operation) ? [429] : []),
  ];
  return {
    ...Object.fromEntries(
      refusals.map((status) => [status, { $ref: `#/components/responses/${REFUSALS[status]?.name}` }]),
    ),
    ...Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, toResponse(Number(status), answer)]),
    ),
  };
}

function toResponse(status: number, answer: string | Answer): ResponseConfig {
  const {
    description,
    json,
    events,
    text,
    headers = {},
  } = typeof answer === "string" ? { description: answer } : answer;
  const schema = status >= 400 ? Refusal : json;
  return {
    description,
    headers: {
      ...(hasRetryAfter(status) && RETRY_AFTER),
      ...Object.fromEntries(
        Object.entries(headers).map(([name, meaning]) => [name, { description: meaning, schema: { type: "string" } }]),
      ),
    },
    content: {
      ...(schema && { "application/json": { schema } }),
      ...Object.fromEntries([text ?? []].flat().map((type) => [type, { schema: { type: "string" as const } }])),
      ...(events && { "text/event-stream": { schema: ServerSentEvent } }),
    },
  };
}

/** Whether a request without a body, which is read as `{}`, is one that the schema takes. */
function acceptsNothing(body: z.ZodType): boolean {
  return body.safeParse({}).success && body.meta()?.required === undefined;
}

const SYSTEM = new Set(["", "ok", "info", "openapi.json", "docs", "metrics", "internal"]);

function tagOf(path: string): string {
  if (path.includes("/runs")) return "runs";
  const first = path.split("/")[1] ?? "";
  return SYSTEM.has(first) ? "system" : first;
}

/** One name for each path and method, for those who generate clients. @example getThreadsThreadIdState */
function operationId(method: Method, path: string): string {
  const words = path.split(/\W|_/).filter(Boolean);
  return [method, ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join("");
}
