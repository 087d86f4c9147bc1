/**
 * The indexes of store items: which there are, in order, page by page. Each listing first removes what is due, so that
 * nothing is listed that Redis has dropped.
 */
import { PARTITIONS, partitionOf } from "../../redis/partitions.js";
import type { Script, ScriptArgument } from "../../redis/scripts.js";
import { merge } from "./merge.js";
import { compareNames, toText } from "./names.js";
import { loadStoreScript } from "./scripts.js";

const scripts = {
  listItems: loadStoreScript("list_items"),
  listNamespaces: loadStoreScript("list_namespaces"),
  removeDue: loadStoreScript("remove_due"),
};

const PAGE = 500;
const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);

interface Head {
  id: string;
  /** Time of writing, µs. */
  written: number;
}

export class Indexes {
  constructor(private readonly call: (script: Script, partition: number, args: ScriptArgument[]) => Promise<unknown>) {}

  /** Ids below a prefix after the first `offset`, the latest written first, in pages for somebody who wants `count`. */
  async *ids(prefix: readonly string[], offset: number, count: number): AsyncGenerator<string> {
    const [first] = prefix;
    if (first !== undefined) {
      for await (const { id } of this.#headsOf(partitionOf(first), toText(prefix), offset, count)) yield id;
      return;
    }
    let skipped = 0;
    const sources = partitions.map((partition) => this.#headsOf(partition, "", 0, offset + count));
    for await (const { id } of merge(sources, (a, b) => b.written - a.written)) if (skipped++ >= offset) yield id;
  }

  async *#headsOf(partition: number, prefix: string, offset: number, count: number): AsyncGenerator<Head> {
    const size = Math.max(1, Math.min(count, PAGE));
    for (let before = ""; ; ) {
      const page = await this.#untilNoneIsDue(scripts.listItems, partition, [
        prefix,
        before,
        before ? 0 : offset,
        size,
      ]);
      for (let at = 0; at + 1 < page.length; at += 2) yield { id: page[at] ?? "", written: Number(page[at + 1]) };
      if (page.length < 2 * size) return;
      before = page.at(-1) ?? "";
    }
  }

  async *names(prefix: readonly string[], depth: number): AsyncGenerator<string> {
    const [first] = prefix;
    const homes = first === undefined ? partitions : [partitionOf(first)];
    const sources = homes.map((partition) => this.#namesOf(partition, toText(prefix), depth));
    yield* merge(sources, compareNames);
  }

  async *#namesOf(partition: number, prefix: string, depth: number): AsyncGenerator<string> {
    for (let after = ""; ; ) {
      const page = await this.#untilNoneIsDue(scripts.listNamespaces, partition, [prefix, after, depth, PAGE]);
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1) ?? "";
    }
  }

  /** A listing first removes what is due, a bounded number a call. */
  async #untilNoneIsDue(script: Script, partition: number, args: ScriptArgument[]): Promise<string[]> {
    for (;;) {
      const answer = await this.call(script, partition, args);
      if (answer === "none") return [];
      if (answer !== "due") return answer as string[];
    }
  }

  /** Removes what is due everywhere. */
  async sweep(): Promise<void> {
    for (const partition of partitions) await this.#untilNoneIsDue(scripts.removeDue, partition, []);
  }
}
