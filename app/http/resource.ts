/**
 * How a route is made: one declaration is the Express route, the validation and the OpenAPI operation, so none of the
 * three can differ from the others. A handler gets values of the declared types and returns a Reply; one that streams
 * writes to the response itself and returns nothing.
 */
import type { OpenAPIRegistry, ResponseConfig } from "@asteasolutions/zod-to-openapi";
import express, { type Express, type Request, type Response } from "express";
import type { z } from "zod";
import { readJson } from "./body.js";
import { HttpError } from "./errors.js";
import { Refusal } from "./shapes.js";

/** What an answer holds, for the document: a sentence, with a schema and headers where it has them. */
export interface Answer {
  description: string;
  json?: z.ZodType;
  /** The content is a stream of server-sent events. */
  events?: true;
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
  /** By status. Refusals every operation may give (401, 422, 503, …) are added. */
  answers: Record<number, string | Answer>;
  /** Needs no key. */
  open?: true;
}

export interface Call<P, Q, H, B> {
  params: P;
  query: Q;
  headers: H;
  body: B;
  /** The body as it came, before defaults and without the fields that no schema names dropped. */
  rawBody: unknown;
  request: Request;
  response: Response;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  /** JSON text; none is an empty answer. */
  json?: string;
}

type None = z.ZodObject<Record<never, never>>;
type Register = <
  P extends z.ZodObject = None,
  Q extends z.ZodObject = None,
  H extends z.ZodObject = None,
  B extends z.ZodType = z.ZodUndefined,
>(
  path: string,
  operation: Operation<P, Q, H, B>,
  handler: (call: Call<z.output<P>, z.output<Q>, z.output<H>, z.output<B>>) => Promise<Reply | undefined>,
) => void;

type Method = "get" | "post" | "put" | "patch" | "delete";

export interface Resource {
  get: Register;
  post: Register;
  put: Register;
  patch: Register;
  delete: Register;
  /** After the last route: on known paths, other methods are refused with 405. */
  refuseOtherMethods(): void;
}

export const reply = (value: unknown, headers: Record<string, string> = {}): Reply => ({
  status: 200,
  headers,
  json: JSON.stringify(value),
});

/** @param path in Express's form, such as `/threads/:thread_id` */
export function createResource(app: Express, registry: OpenAPIRegistry, maxBodyBytes: number): Resource {
  const methods = new Map<string, Set<string>>();
  const readBytes = express.raw({ type: () => true, limit: maxBodyBytes });

  const registerAs =
    (method: Method): Register =>
    (path, operation, handler) => {
      methods.set(path, (methods.get(path) ?? new Set()).add(method.toUpperCase()));
      document(registry, method, path, operation);
      const { params, query, headers, body } = operation;
      app[method](path, ...(body ? [readBytes] : []), async (request, response) => {
        const rawBody = body && readJson(request);
        const answer = await handler({
          params: parse(params, request.params, "path"),
          query: parse(query, request.query, "query"),
          headers: parse(headers, request.headers, "header"),
          body: parse(body, rawBody, "body"),
          rawBody,
          request,
          response,
        });
        if (answer) send(response, answer);
      });
    };

  return {
    get: registerAs("get"),
    post: registerAs("post"),
    put: registerAs("put"),
    patch: registerAs("patch"),
    delete: registerAs("delete"),
    refuseOtherMethods() {
      for (const [path, known] of methods) {
        const allow = [...known].join(", ");
        app.route(path).all((request) => {
          throw new HttpError(405, `this version has no ${request.method} ${request.path}; allowed there: ${allow}`, {
            Allow: allow,
          });
        });
      }
    },
  };
}

function send(response: Response, { status, headers = {}, json }: Reply): void {
  response.status(status).set(headers);
  if (json === undefined) response.end();
  else response.type("application/json").send(json);
}

/** A sentence stays one that somebody reads. */
const MOST_ISSUES = 5;

/** @throws HttpError 422 that names the wrong fields, such as `body.stream_mode.0` */
function parse<S extends z.ZodType>(schema: S | undefined, value: unknown, place: string): z.output<S> {
  // Without a schema the declared type is that of "nothing", and nobody reads it.
  if (schema === undefined) return undefined as z.output<S>;
  const parsed = schema.safeParse(value, { error: sentence });
  if (parsed.success) return parsed.data;
  const sentences = parsed.error.issues
    .slice(0, MOST_ISSUES)
    .map((issue) => `${[place, ...issue.path].join(".")}: ${issue.message}`);
  throw new HttpError(422, sentences.join("; "));
}

const typeNames: Record<string, string> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** In our words where zod's speak of its types. */
function sentence(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is required" : `must be ${typeNames[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be one of ${issue.values.join(", ")}`;
    case "too_small":
      return issue.origin === "string" || issue.origin === "array"
        ? "must not be empty"
        : `must be at least ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    default:
      return undefined;
  }
}

function document(
  registry: OpenAPIRegistry,
  method: Method,
  path: string,
  operation: Operation<z.ZodObject, z.ZodObject, z.ZodObject, z.ZodType>,
): void {
  const { summary, description, params, query, headers, body, open } = operation;
  const answers = { ...operation.answers };
  if (!open) {
    answers[401] ??= "no key, or a wrong one";
    answers[503] ??= "the database does not answer; `Retry-After` says when to try again";
  }
  if (body) {
    answers[413] ??= "the body is larger than the limit";
    answers[415] ??= "the body is not sent as application/json";
  }
  if (params || query || headers || body) answers[422] ??= "what is wrong, with the name of the field";
  registry.registerPath({
    method,
    path: path.replace(/:(\w+)/g, "{$1}"),
    summary,
    ...(description && { description }),
    tags: [path.includes("/runs") ? "runs" : (path.split("/")[1] ?? "")],
    ...(open && { security: [] }),
    request: {
      params,
      query,
      ...(headers && { headers }),
      ...(body && { body: { required: true, content: { "application/json": { schema: body } } } }),
    },
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, toResponse(Number(status), answer)]),
    ),
  });
}

function toResponse(status: number, answer: string | Answer): ResponseConfig {
  const { description, json, events, headers = {} } = typeof answer === "string" ? { description: answer } : answer;
  const schema = status >= 400 ? Refusal : json;
  return {
    description,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, meaning]) => [name, { description: meaning, schema: { type: "string" } }]),
    ),
    ...(schema && { content: { "application/json": { schema } } }),
    ...(events && { content: { "text/event-stream": { schema: { type: "string" } } } }),
  };
}
