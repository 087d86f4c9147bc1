/** How much a thread's checkpoints take in Redis, read in steps of bounded length. */
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { loadScript } from "../redis/scripts.js";
import { runScriptFolder } from "../runs/scripts.js";
import { bytes, list, text } from "./checkpoints/stored.js";

const measureHistory = loadScript(new URL("./lua/", import.meta.url), "measure_history", runScriptFolder);

const CHECKPOINTS_A_STEP = 100;

/** Bytes as stored. What a copy shares with its source counts for the source. */
export interface Storage {
  checkpoints: { count: number; bytes: number };
  /** A value that several checkpoints, or channels, name is stored, and counts, once. */
  values: { count: number; bytes: number; channels: Map<string, number> };
  /** Writes of tasks, less those values that a channel holds as well. */
  writes: { count: number; bytes: number };
}

export class ThreadStorage {
  constructor(
    private readonly redis: Redis,
    private readonly keys: Keys,
  ) {}

  async measure(threadId: string): Promise<Storage> {
    const key = this.keys.of(threadId, "history", threadId);
    const sum = new Sum();
    let from = "0-";
    do {
      const page = await measureHistory.runBuffer(this.redis, key, threadId, from, CHECKPOINTS_A_STEP);
      const [next, count, size, values, writes] = list(page);
      sum.add(Number(count), Number(size), list(values), list(writes));
      from = text(next);
    } while (from !== "");
    return sum.storage();
  }
}

class Sum {
  readonly #checkpoints = { count: 0, bytes: 0 };
  readonly #values = { count: 0, bytes: 0, channels: new Map<string, number>() };
  readonly #writes = { count: 0, bytes: 0 };
  readonly #named = new Set<string>();
  /** Bytes of blobs that writes name, by digest. */
  readonly #written = new Map<string, number>();

  add(count: number, size: number, values: unknown[], writes: unknown[]): void {
    this.#checkpoints.count += count;
    this.#checkpoints.bytes += size;
    for (let at = 0; at + 2 < values.length; at += 3)
      this.#addValue(text(values[at]), bytes(values[at + 1]).toString("latin1"), Number(values[at + 2]));
    for (let at = 0; at + 1 < writes.length; at += 2) {
      const digest = bytes(writes[at]).toString("latin1");
      this.#writes.count++;
      if (digest === "") this.#writes.bytes += Number(writes[at + 1]);
      else this.#written.set(digest, Number(writes[at + 1]));
    }
  }

  #addValue(channel: string, digest: string, size: number): void {
    if (digest !== "" && this.#named.has(digest)) return;
    if (digest !== "") this.#named.add(digest);
    this.#values.count++;
    this.#values.bytes += size;
    this.#values.channels.set(channel, (this.#values.channels.get(channel) ?? 0) + size);
  }

  storage(): Storage {
    const onlyWritten = [...this.#written].filter(([digest]) => !this.#named.has(digest));
    const size = onlyWritten.reduce((all, [, each]) => all + each, this.#writes.bytes);
    return { checkpoints: this.#checkpoints, values: this.#values, writes: { ...this.#writes, bytes: size } };
  }
}
