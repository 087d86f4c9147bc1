/** Bodies: JSON, sent as JSON, in UTF-8. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Request } from "express";
import { HttpError } from "./errors.js";

export interface BodyLimits {
  maxBodyBytes: number;
  /** Lists and objects within each other. */
  maxJsonDepth: number;
  /** Items of lists and fields of objects, together. */
  maxJsonValues: number;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The body of a request; an empty one is `{}`.
 * @throws HttpError 413; 400 for what is no UTF-8, 422 for what is no JSON or more of it than the limits allow; 415 for
 *   JSON under another content type: browsers send those across origins without asking first, which would let any web page
 *   start runs on a server that needs no key
 */
export async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  const bytes = await readBytes(request, limits.maxBodyBytes);
  if (bytes.length === 0) return {};
  if (!request.is(["application/json", "+json"]) || !isUtf8(request.headers["content-type"]))
    throw new HttpError(415, "body: send it as application/json");
  const { depth, values } = measure(bytes);
  if (depth > limits.maxJsonDepth) throw new HttpError(422, `body: nested more than ${limits.maxJsonDepth} deep`);
  if (values > limits.maxJsonValues) throw new HttpError(422, `body: holds more than ${limits.maxJsonValues} values`);
  return parseJson(decode(bytes));
}

async function readBytes(request: IncomingMessage, most: number): Promise<Buffer> {
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding.toLowerCase() !== "identity") throw new HttpError(415, "body: send it without a content-encoding");
  // Copied together: a body may come byte by byte, and each chunk kept would take hundreds.
  let [held, size] = [Buffer.alloc(0), 0];
  const tooLarge = new HttpError(413, `body: larger than the limit of ${most} bytes`);
  return await new Promise((resolve, reject) => {
    const refuse = (error: HttpError) => {
      request.removeAllListeners("data");
      discard(request);
      reject(error);
    };
    if (Number(request.headers["content-length"] ?? 0) > most) return refuse(tooLarge);
    request.on("data", (chunk: Buffer) => {
      if (size + chunk.length > most) return refuse(tooLarge);
      if (size + chunk.length > held.length) held = Buffer.concat([held], Math.min(2 * (size + chunk.length), most));
      size += chunk.copy(held, size);
    });
    request.once("end", () => resolve(held.subarray(0, size)));
    const left = () => reject(new HttpError(400, "the request did not arrive whole"));
    request.once("error", left).once("close", left);
  });
}

/** A client that is cut while it sends may never read its refusal; one that goes on and on is cut all the same. */
const DISCARD_MS = 3_000;

function discard(request: IncomingMessage): void {
  request.resume();
  const cut = setTimeout(() => request.destroy(), DISCARD_MS);
  request.once("close", () => clearTimeout(cut));
}

function isUtf8(contentType = ""): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(contentType)?.[1];
  return charset === undefined || /^(utf-?8|us-ascii)$/i.test(charset);
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new HttpError(400, "body: invalid UTF-8");
  }
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (MAY_BE_HUGE.test(text)) refuseHuge(value, "body");
    return value;
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(422, `body: invalid JSON (${error instanceof Error ? error.message : "unreadable"})`);
  }
}

/** Numbers beyond 1.8e308 are read as infinite, and would be stored as `null`. */
const MAY_BE_HUGE = /\d[eE]\+?\d|\d{309}/;

function refuseHuge(value: unknown, place: string): void {
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY)
    throw new HttpError(422, `${place}: is a number beyond what can be kept`);
  if (typeof value !== "object" || value === null) return;
  for (const [name, part] of Object.entries(value)) refuseHuge(part, `${place}.${name}`);
}

const [QUOTE, BACKSLASH, COMMA, LIST, LIST_END, OBJECT, OBJECT_END] = Buffer.from('"\\,[]{}');

/** How deep JSON is nested, and how many values it holds at most; what stands within strings doesn't count. */
function measure(bytes: Buffer): { depth: number; values: number } {
  let [depth, deepest, values] = [0, 0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at + 1);
    else if (byte === COMMA) values++;
    else if (byte === LIST || byte === OBJECT) {
      deepest = Math.max(deepest, ++depth);
      values++;
    } else if (byte === LIST_END || byte === OBJECT_END) depth--;
  }
  return { depth: deepest, values };
}

function endOfString(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at++;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.length;
}

/** The same for the same request, whatever the order of the keys: SHA-256 in hex. */
export function requestHash(path: string, body: unknown): string {
  return createHash("sha256").update(path).update("\n").update(JSON.stringify(body, sortKeys)).digest("hex");
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
