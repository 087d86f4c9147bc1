/**
 * Refusals. A handler throws; this file alone decides which status and which sentence the client gets, always as
 * `{"detail": "…"}`. What is not known here is a bug: the client learns nothing of it but a request id.
 */
import type { ErrorRequestHandler } from "express";
import { RunRefused } from "../runs/types.js";
import type { Log } from "../telemetry/log.js";
import { requestIdOf } from "./requestId.js";

/** A refusal with its status, the sentence for `detail`, and headers such as Retry-After. */
export class HttpError extends Error {
  override name = "HttpError";

  constructor(
    readonly status: number,
    detail: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(detail);
  }
}

export const databaseAway = () => new HttpError(503, "the database does not answer; try again", { "Retry-After": "1" });

export const notFound = (what: string) => new HttpError(404, `${what} does not exist`);

const refusalStatus: Record<RunRefused["reason"], number> = {
  thread_missing: 404,
  run_missing: 404,
  thread_busy: 409,
  run_ended: 409,
  id_reused: 409,
};

/** The last of Express's handlers. */
export function answerErrors(log: Log): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const refusal = toHttpError(error);
    if (!refusal || refusal.status === 503) {
      // Neither body nor query: they are the client's, and stay out of the logs.
      const entry = { requestId: requestIdOf(response), method: request.method, stack: stackOf(error) };
      if (refusal) log.warn(entry, "redis is away");
      else log.error(entry, "request failed");
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
export function toHttpError(error: unknown): HttpError | undefined {
  if (error instanceof HttpError) return error;
  if (error instanceof RunRefused) return new HttpError(refusalStatus[error.reason], error.message);
  if (!(error instanceof Error)) return undefined;
  if (isRedisAway(error)) return databaseAway();
  return fromBodyParser(error);
}

const AWAY_NAMES = new Set(["MaxRetriesPerRequestError", "ClusterAllFailedError"]);
const AWAY_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
]);
const AWAY_MESSAGES = new RegExp(
  `^(${[
    "Connection is closed",
    "Command timed out",
    "Command aborted",
    "Socket timeout",
    "connect ETIMEDOUT",
    "Stream isn't writeable",
    "Cluster is",
    "Node is disconnected",
    "None of startup nodes",
    "Too many Cluster redirections",
    "(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|UNBLOCKED)\\b",
  ].join("|")})`,
);

/**
 * Whether Redis could not be asked or could not answer now: no connection, a time-out, a change of role, no memory.
 * The names and messages are those of ioredis and of Redis's error replies.
 */
export function isRedisAway(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return (
    AWAY_NAMES.has(error.name) || (code !== undefined && AWAY_CODES.has(code)) || AWAY_MESSAGES.test(error.message)
  );
}

/** What Express and its body parser throw carries a status and, of the parser, a type. */
function fromBodyParser(error: Error & { status?: unknown; type?: unknown; limit?: unknown }): HttpError | undefined {
  const { status, type, limit } = error;
  if (type === "entity.too.large") return new HttpError(413, `body: larger than the limit of ${limit} bytes`);
  if (type === "encoding.unsupported") return new HttpError(415, "body: this content-encoding is not supported");
  if (error instanceof URIError) return new HttpError(400, "path: wrong percent-encoding");
  if (typeof status === "number" && status >= 400 && status < 500)
    return new HttpError(status, `body: ${error.message}`);
  return undefined;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.name) : `thrown: ${Object(error).constructor?.name}`;
}
