/** Bodies: JSON, sent as JSON, in UTF-8. */
import { createHash } from "node:crypto";
import type { Request } from "express";
import { HttpError } from "./errors.js";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The body that `express.raw` has read; an empty one is `{}`.
 * @throws HttpError 422 for what is no JSON; 415 for JSON under another content type: browsers send those across
 *   origins without asking first, which would let any web page start runs on a server that needs no key
 */
export function readJson(request: Request): unknown {
  const bytes: unknown = request.body;
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) return {};
  const value = parseJson(bytes);
  if (!request.is(["application/json", "+json"])) throw new HttpError(415, "body: send it as application/json");
  return value;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? `invalid JSON (${error.message})` : "invalid UTF-8";
    throw new HttpError(422, `body: ${reason}`);
  }
}

/**
 * The same for the same request, whatever the order of the keys: SHA-256 in hex.
 * @throws HttpError 422 for a body so deeply nested that its JSON can't be written again
 */
export function requestHash(path: string, body: unknown): string {
  try {
    return createHash("sha256").update(path).update("\n").update(JSON.stringify(body, sortKeys)).digest("hex");
  } catch (error) {
    if (error instanceof RangeError) throw new HttpError(422, "body: nested too deeply");
    throw error;
  }
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
