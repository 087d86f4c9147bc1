/**
 * Refusals. A handler throws; this file alone decides which status and which sentence the client gets, always as
 * `{"detail": "…"}`. What is not known here is a bug: the client learns nothing of it but a request id.
 */
import type { ErrorRequestHandler } from "express";
import { AssistantRefused } from "../data/assistants.js";
import { StoreRefused } from "../data/store/names.js";
import { ThreadRefused } from "../data/threads/refused.js";
import { isAway } from "../redis/away.js";
import { MemoryFull } from "../redis/memory.js";
import { RunRefused } from "../runs/types.js";
import { stackFrames } from "../telemetry/frames.js";
import type { Log } from "../telemetry/log.js";
import { requestIdOf } from "./requestId.js";

/** A refusal with its status, the sentence for `detail`, and headers such as Retry-After. */
export class HttpError extends Error {
  override name = "HttpError";

  constructor(
    readonly status: number,
    detail: string,
    readonly headers: Record<string, string> = {},
    cause?: unknown,
  ) {
    super(detail, { cause });
  }
}

export const databaseAway = () => new HttpError(503, "the database does not answer; try again", { "Retry-After": "1" });

export const notFound = (what: string) => new HttpError(404, `${what} does not exist`);

const refusalStatus: Record<RunRefused["reason"], number> = {
  thread_missing: 404,
  run_missing: 404,
  thread_busy: 409,
  thread_deleting: 409,
  run_ended: 409,
  id_reused: 409,
  id_taken: 409,
  webhook_refused: 422,
  copied_too_often: 409,
};

const assistantStatus: Record<AssistantRefused["reason"], number> = {
  assistant_missing: 404,
  version_missing: 404,
  graph_missing: 404,
  exists: 409,
  of_the_system: 409,
  busy: 409,
  too_much: 422,
};

/** The last of Express's handlers. */
export function answerErrors(log: Log): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const refusal = toHttpError(error);
    if (!refusal || refusal.status >= 500) {
      // Neither body nor query: they are the client's, and stay out of the logs.
      const entry = { requestId: requestIdOf(response), method: request.method };
      // What a handler said of its own accord has no cause, and nobody has to look for one.
      const told = error instanceof HttpError && error.cause === undefined;
      const stack = told ? {} : { stack: stackOf(refusal?.cause ?? error) };
      if (refusal && (told || refusal.status === 503)) log.warn({ ...entry, ...stack }, refusal.message);
      else log.error({ ...entry, ...stack }, "request failed");
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { status, message, headers } = refusal ?? new HttpError(500, "internal error");
    response.status(status).set(headers).json({ detail: message });
  };
}

/** @returns undefined for what is a bug */
function toHttpError(error: unknown): HttpError | undefined {
  if (error instanceof HttpError) return error;
  if (error instanceof AssistantRefused) return new HttpError(assistantStatus[error.reason], error.message);
  if (error instanceof RunRefused) return new HttpError(refusalStatus[error.reason], error.message);
  if (error instanceof ThreadRefused) return new HttpError(error.reason === "busy" ? 409 : 422, error.message);
  if (error instanceof StoreRefused) return new HttpError(422, error.message);
  if (!(error instanceof Error)) return undefined;
  if (error instanceof MemoryFull)
    return new HttpError(503, error.message, { "Retry-After": String(error.retryAfterSeconds) });
  // What Express throws for a path.
  if (error instanceof URIError) return new HttpError(400, "path: wrong percent-encoding");
  return isAway(error) ? databaseAway() : undefined;
}

/** Where it was thrown, without the message, which may hold what the client sent. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${Object(error).constructor?.name}`;
  return [error.name, ...stackFrames(error)].join("\n");
}
