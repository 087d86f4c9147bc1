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

/** Deeper than any state of a graph, and shallow enough for whatever walks it. */
const DEEPEST = 200;

function parseJson(bytes: Buffer): unknown {
  try {
    const text = utf8.decode(bytes);
    if (depthOf(text) > DEEPEST) throw new HttpError(422, `body: nested more than ${DEEPEST} deep`);
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof HttpError) throw error;
    const reason = error instanceof SyntaxError ? `invalid JSON (${error.message})` : "invalid UTF-8";
    throw new HttpError(422, `body: ${reason}`);
  }
}

/** How deep JSON text is nested; brackets within strings don't count. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{]|[\]}]/g)) {
    if (token === "[" || token === "{") deepest = Math.max(deepest, ++depth);
    else if (token === "]" || token === "}") depth--;
  }
  return deepest;
}

/** The same for the same request, whatever the order of the keys: SHA-256 in hex. */
export function requestHash(path: string, body: unknown): string {
  return createHash("sha256").update(path).update("\n").update(JSON.stringify(body, sortKeys)).digest("hex");
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
