/** Assistants in Redis: one script a move, and what is read without one. `lua/include/assistants.lua` draws the keys. */
import { randomUUID } from "node:crypto";
import type { Redis } from "../../redis/connect.js";
import type { Keys } from "../../redis/partitions.js";
import { loadScript } from "../../redis/scripts.js";
import { runScriptFolder } from "../../runs/scripts.js";
import { type Assistant, type AssistantBody, type AssistantRecord, type Fields, termsOf, toRecord } from "./record.js";

const load = (name: string) => loadScript(new URL("../lua/", import.meta.url), name, runScriptFolder);
const scripts = { put: load("put_assistant"), delete: load("delete_assistant"), find: load("find_assistants") };

/** Assistants belong to no thread; they live in the first partition. */
export const PARTITION = 0;

const FIELDS = ["created_at", "updated_at", "revision", "version", "body"];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface AssistantPut {
  assistantId: string;
  /** The one that was read; none makes the assistant. */
  revision?: number;
  /** An earlier one, to be used again; none makes a new one. */
  version?: number;
  body: AssistantBody;
}

/** `changed`: somebody wrote between, and this is there now; to make one: it is there. */
export type PutAnswer = { word: "put" | "changed"; record: AssistantRecord } | { word: "missing" };

export interface Find {
  sortBy: string;
  sortOrder: "asc" | "desc";
  offset: number;
  limit: number;
  /** More than so many are not looked at. */
  most: number;
  /** Empty for all. */
  graphId: string;
  /** All must be there; see `termsOf`. */
  terms: string[];
}

export class AssistantStore {
  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
  ) {}

  async read(assistantId: string): Promise<AssistantRecord | undefined> {
    // Ids are parts of keys.
    if (!UUID.test(assistantId)) return undefined;
    return toRecord(assistantId, await this.redis.hmget(this.#record(assistantId), ...FIELDS));
  }

  async put({ assistantId, revision, version, body }: AssistantPut): Promise<PutAnswer> {
    const args = [assistantId, revision ?? "", version ?? "", body.graphId, body.name, termsOf(body).join(" ")];
    const key = this.#record(assistantId);
    const answer = await scripts.put.run(this.redis, key, ...args, JSON.stringify(body), randomUUID());
    const [word, fields = []] = answer as ["put" | "changed" | "missing", Fields?];
    const record = toRecord(assistantId, fields);
    return word === "missing" || !record ? { word: "missing" } : { word, record };
  }

  /** @returns false when there is none */
  async delete(assistantId: string): Promise<boolean> {
    if (!UUID.test(assistantId)) return false;
    return (await scripts.delete.run(this.redis, this.#record(assistantId), assistantId)) === 1;
  }

  /** The highest number of a version that the assistant has had. */
  async newestVersion(assistantId: string): Promise<number | undefined> {
    if (!UUID.test(assistantId)) return undefined;
    const last = await this.redis.hget(this.#record(assistantId), "last");
    return last === null ? undefined : Number(last);
  }

  /** Those numbered `newest`, `newest` - 1, …: at most `limit`. */
  async versions(assistantId: string, newest: number, limit: number): Promise<Assistant[]> {
    const numbers = Array.from({ length: limit }, (_, index) => newest - index).filter((number) => number > 0);
    if (numbers.length === 0) return [];
    const names = numbers.flatMap((number) => [String(number), `${number}:at`]);
    const found = await this.redis.hmget(this.keys.in(PARTITION, "assistant_versions", assistantId), ...names);
    return numbers.flatMap((number, index) => {
      const [body, at] = found.slice(2 * index, 2 * index + 2);
      return toRecord(assistantId, [at ?? null, at ?? null, "0", String(number), body ?? null]) ?? [];
    });
  }

  /** @returns the count alone where it is more than `most` */
  async find(find: Find): Promise<{ total: number; page: Assistant[] }> {
    const { sortBy, sortOrder, offset, limit, most, graphId, terms } = find;
    const key = this.keys.in(PARTITION, "assistants", sortBy);
    const answer = await scripts.find.run(this.redis, key, sortBy, sortOrder, offset, limit, most, graphId, ...terms);
    const [total, ...rows] = answer as [number, ...[string, Fields][]];
    return { total, page: rows.flatMap(([id, fields]) => toRecord(id, fields) ?? []) };
  }

  #record(assistantId: string): string {
    return this.keys.in(PARTITION, "assistant", assistantId);
  }
}
