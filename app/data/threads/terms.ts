/**
 * The words by which a thread is found without looking at it: a top-level scalar of its metadata each. The scripts make
 * the same (`runs/lua/include/thread_index.lua`), since they index what any release has stored.
 */
import { createHash } from "node:crypto";

/**
 * Of a thread, and of an assistant, which is found the same way. Each is an index of its own, so a client must not make as
 * many as it likes; the scripts know the number too.
 */
export const MOST_METADATA_KEYS = 500;

const TERM_LENGTH = 24;

type Scalar = string | number | boolean | null;

export const isScalar = (value: unknown): value is Scalar =>
  value === null || ["string", "number", "boolean"].includes(typeof value);

/** Of one length, whatever the value's: hexadecimal. */
export function termOf(name: string, value: Scalar): string {
  const hash = createHash("sha1");
  hash.update(`${Buffer.byteLength(name)}:${name}`);
  if (typeof value === "string") hash.update(`s${value}`);
  else if (typeof value === "number") hash.update("n").update(bytesOf(value));
  else hash.update(value === null ? "0" : value ? "t" : "f");
  return hash.digest("hex").slice(0, TERM_LENGTH);
}

/** The number itself: its text depends on who writes it. */
function bytesOf(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  // JSON has no -0.
  bytes.writeDoubleBE(value === 0 ? 0 : value);
  return bytes;
}
