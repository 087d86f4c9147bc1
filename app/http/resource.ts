/**
 * How a route is made: one declaration is the Express route, the validation and the OpenAPI operation, so none of the
 * three can differ from the others. A handler gets values of the declared types and returns a Reply; one that streams
 * writes to the response itself and returns nothing.
 */
import type { OpenAPIRegistry } from "@asteasolutions/zod-to-openapi";
import type { Express, Request, RequestHandler, Response } from "express";
import type { z } from "zod";
import { type BodyLimits, readJson } from "./body.js";
import { HttpError } from "./errors.js";
import type { OpenRequests } from "./limits.js";
import { documentOperation, isHeld, type Method, type Operation, registerRefusals } from "./operation.js";
import { Paths } from "./paths.js";

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

export interface Resource {
  get: Register;
  post: Register;
  put: Register;
  patch: Register;
  delete: Register;
}

export interface ResourceLimits extends BodyLimits {
  /** The largest `limit` that a query or a body may ask for. */
  maxPageSize: number;
}

export const reply = (value: unknown, headers: Record<string, string> = {}): Reply => ({
  status: 200,
  headers,
  json: JSON.stringify(value),
});

/** On paths that it knows, other methods than theirs are refused with 405. */
export function createResource(
  app: Express,
  registry: OpenAPIRegistry,
  limits: ResourceLimits,
  requests: OpenRequests,
): Resource {
  const paths = new Paths();
  registerRefusals(registry);
  app.use(refuseOtherMethods(paths));

  const registerAs =
    (method: Method): Register =>
    (path, operation, handler) => {
      const held = isHeld(operation);
      paths.add(path, method.toUpperCase());
      // Express answers HEAD as GET; an answer that waits for a run has no head to tell.
      if (method === "get" && !held) paths.add(path, "HEAD");
      documentOperation(registry, method, path, operation);
      const { params, query, headers, body, open } = operation;
      const enter: RequestHandler = (request, response, next) => {
        response.locals.route = path;
        if (!open) requests.enter(request, response, held);
        next();
      };
      app[method](path, enter, async (request, response) => {
        const rawBody = body && (await readJson(request, limits));
        const call = {
          params: parse(params, request.params, "path"),
          query: parse(query, request.query, "query"),
          headers: parse(headers, request.headers, "header"),
          body: parse(body, rawBody, "body"),
        };
        checkPage(call.query, "query", limits);
        checkPage(call.body, "body", limits);
        const answer = await handler({ ...call, rawBody, request, response });
        if (answer) send(response, answer);
      });
    };

  return {
    get: registerAs("get"),
    post: registerAs("post"),
    put: registerAs("put"),
    patch: registerAs("patch"),
    delete: registerAs("delete"),
  };
}

function refuseOtherMethods(paths: Paths): RequestHandler {
  return (request, _response, next) => {
    const known = paths.methodsOf(request.path);
    if (!known || known.has(request.method)) return next();
    const allow = [...known].join(", ");
    const message = `this version has no ${request.method} ${request.path}; allowed there: ${allow}`;
    throw new HttpError(405, message, { Allow: allow });
  };
}

/** A deployment may allow less than the schemas do. */
function checkPage(given: unknown, place: string, { maxPageSize }: ResourceLimits): void {
  const limit: unknown = typeof given === "object" && given !== null && "limit" in given ? given.limit : undefined;
  if (typeof limit === "number" && limit > maxPageSize)
    throw new HttpError(422, `${place}.limit: must be at most ${maxPageSize}`);
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
