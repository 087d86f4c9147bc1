/**
 * Lua scripts: a file each, named for the move it makes, shared parts by `--- @include "name"` lines.
 * They are sent by hash; a Redis that doesn't know one (new, failed over, flushed) is sent the text.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { Redis } from "./connect.js";

export type ScriptArgument = string | number | Buffer;

export class Script {
  readonly sha: string;

  constructor(
    readonly name: string,
    readonly source: string,
  ) {
    this.sha = createHash("sha1").update(source).digest("hex");
  }

  /**
   * Runs the script; one round trip.
   * @param key KEYS[1]: a key of the partition; the script builds its other keys from the tag of this one
   */
  async run(redis: Redis, key: string, ...args: ScriptArgument[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.sha, 1, key, ...args);
    } catch (error) {
      if (!unknownScript(error)) throw error;
      return await redis.eval(this.source, 1, key, ...args);
    }
  }

  /** The same, with bulk replies as bytes. */
  async runBuffer(redis: Redis, key: string, ...args: ScriptArgument[]): Promise<unknown> {
    try {
      return await redis.callBuffer("EVALSHA", [this.sha, 1, key, ...args]);
    } catch (error) {
      if (!unknownScript(error)) throw error;
      return await redis.callBuffer("EVAL", [this.source, 1, key, ...args]);
    }
  }
}

function unknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/**
 * @param folder where `<name>.lua` is, and `include/<part>.lua` beside it, such as `new URL("./lua/", import.meta.url)`
 * @param more folders whose parts the script may include as well
 */
export function loadScript(folder: URL, name: string, ...more: URL[]): Script {
  const text = readFileSync(new URL(`${name}.lua`, folder), "utf8");
  return new Script(name, withIncludes(text, [folder, ...more], new Set()));
}

/** Each part stands where it is first asked for, and only there. */
function withIncludes(text: string, folders: URL[], included: Set<string>): string {
  return text.replace(/^--- @include "([\w-]+)"$/gm, (_, part: string) => {
    if (included.has(part)) return "";
    included.add(part);
    const file = folders.map((folder) => new URL(`include/${part}.lua`, folder)).find((url) => existsSync(url));
    if (!file) throw new Error(`there is no include/${part}.lua in ${folders.map(String).join(" or ")}`);
    return withIncludes(readFileSync(file, "utf8"), folders, included);
  });
}

/** A hash as a script answers it, field after value. */
export function toFields(pairs: string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < pairs.length; index += 2) fields[pairs[index] ?? ""] = pairs[index + 1] ?? "";
  return fields;
}
