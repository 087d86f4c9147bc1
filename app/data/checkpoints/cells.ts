/**
 * A cell is a stored value: its type, as the serializer names it, and its bytes. A value shorter than its own address
 * stands in its place; any other is a blob, stored once in its history under the digest of type and bytes, whichever
 * channels, checkpoints and writes name it. Blobs never change, so they can be kept elsewhere later: only the names in
 * Redis need a fence.
 */
import { createHash } from "node:crypto";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { ScriptArgument } from "../../redis/scripts.js";

export type Serializer = BaseCheckpointSaver["serde"];

export interface Cell {
  type: string;
  bytes: Uint8Array;
}

const DIGEST_BYTES = 32;
const NOTHING = Buffer.alloc(0);
const NULL = Buffer.from("null");

/** Call it before the first `await`: graphs may change their state in place afterwards. */
export async function encode(serde: Serializer, value: unknown): Promise<Cell> {
  const [type, bytes] = await serde.dumpsTyped(value);
  // What JSON has no text for, such as a function, comes out empty, and could not be read again.
  return { type, bytes: type === "json" && bytes.length === 0 ? NULL : bytes };
}

/** Decodes a copy: bytes from Redis are a view of a larger buffer, and several cells may name one blob. */
export function decode(serde: Serializer, cell: Cell): Promise<unknown> {
  return serde.loadsTyped(cell.type, new Uint8Array(cell.bytes));
}

/** Cells on their way to a script: three arguments each, and after all of them every blob once. */
export class Parcel {
  readonly #blobs = new Map<string, Buffer>();

  /** type, digest, bytes: one of the last two is empty. */
  add({ type, bytes }: Cell): [type: string, digest: Buffer, bytes: Buffer] {
    const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (content.length <= DIGEST_BYTES) return [type, NOTHING, content];
    const digest = createHash("sha256").update(type).update("\0").update(content).digest();
    this.#blobs.set(digest.toString("latin1"), content);
    return [type, digest, NOTHING];
  }

  /** digest, bytes of each blob. */
  blobs(): ScriptArgument[] {
    return [...this.#blobs].flatMap(([digest, content]) => [Buffer.from(digest, "latin1"), content]);
  }
}

/** Blobs as a script returns them; opens the cells of the same answer. */
export class Blobs {
  readonly #blobs = new Map<string, Buffer>();

  /** @param flat digest, bytes, digest, bytes, … */
  constructor(flat: Buffer[]) {
    for (let at = 0; at + 1 < flat.length; at += 2) {
      const [digest, content] = flat.slice(at, at + 2);
      if (digest && content) this.#blobs.set(digest.toString("latin1"), content);
    }
  }

  open(type: string, digest: Buffer, bytes: Buffer): Cell {
    const content = digest.length === 0 ? bytes : this.#blobs.get(digest.toString("latin1"));
    if (content === undefined) throw new Error("a blob is missing in the answer of Redis");
    return { type, bytes: content };
  }
}
