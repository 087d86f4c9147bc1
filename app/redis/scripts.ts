/**
 * Lua scripts: a file each, named for the move it makes, shared parts by `--- @include "name"` lines.
 * They are sent by hash; a Redis that doesn't know one (new, failed over, flushed) is sent the text.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
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

/** @param folder where `<name>.lua` and `include/<part>.lua` are, such as `new URL("./lua/", import.meta.url)` */
export function loadScript(folder: URL, name: string): Script {
  return new Script(name, assemble(folder, `${name}.lua`, new Set()));
}

function assemble(folder: URL, file: string, included: Set<string>): string {
  return readFileSync(new URL(file, folder), "utf8").replace(/^--- @include "([\w-]+)"$/gm, (_, part: string) => {
    if (included.has(part)) return "";
    included.add(part);
    return assemble(folder, `include/${part}.lua`, included);
  });
}
