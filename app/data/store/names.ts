/** Names of store items: a namespace (a list of labels) and a key in it. What may be one, and how Redis keeps it. */

/** A call that the store can't answer or must not take; the message says why. Nothing was stored. */
export class StoreRefused extends Error {
  override name = "StoreRefused";
}

/** Each prefix of a namespace is an index. */
const MOST_LABELS = 32;
/** Of a namespace, and of a key. */
const MOST_BYTES = 1_024;
/** LangGraph keeps this first label for itself. */
const RESERVED = "langgraph";

/** Half of a character stands for nothing in UTF-8: Redis would keep another name than the one that was given. */
const HALF_CHARACTER = /\p{Surrogate}/u;

/** @returns why this is no namespace, or no part of one, of an item; nothing where it may be one */
export function problemOfNamespace(labels: readonly string[]): string | undefined {
  if (labels.length > MOST_LABELS) return `must have at most ${MOST_LABELS} labels`;
  if (labels.includes("")) return "must have no empty label";
  if (labels.some((label) => label.includes("."))) return 'must have no label with a "."';
  return problemOfText(labels.join("."));
}

/** @returns why no item may be stored there */
export function problemOfHome(labels: readonly string[]): string | undefined {
  if (labels.length === 0) return "must have a label";
  if (labels[0] === RESERVED) return `must not begin with "${RESERVED}", which LangGraph keeps for itself`;
  return problemOfNamespace(labels);
}

export function problemOfKey(key: string): string | undefined {
  return problemOfText(key);
}

export function problemOfCount(count: number): string | undefined {
  return Number.isSafeInteger(count) && count >= 0 ? undefined : "must be a whole number that is not negative";
}

function problemOfText(text: string): string | undefined {
  if (text.includes("\0")) return "must not hold the character NUL";
  if (HALF_CHARACTER.test(text)) return "must be valid Unicode";
  if (Buffer.byteLength(text) > MOST_BYTES) return `must have at most ${MOST_BYTES} bytes`;
  return undefined;
}

/** @throws StoreRefused */
export function check(what: string, problem: string | undefined): void {
  if (problem) throw new StoreRefused(`${what} ${problem}`);
}

/** As `lua/include/items.lua` says. */
export const toText = (namespace: readonly string[]) => namespace.join("\0");
export const toId = (namespace: readonly string[], key: string) => `${toText(namespace)}\0\0${key}`;

export const toNamespace = (text: string) => text.split("\0");

export function fromId(id: string): { namespace: string[]; key: string } {
  const end = id.indexOf("\0\0");
  return { namespace: toNamespace(id.slice(0, end)), key: id.slice(end + 2) };
}

/** In the order in which Redis has names: by their bytes. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
