/** Threads with their histories as lists, in memory: a copy is a deep one. */

interface Write {
  task: string;
  channel: string;
  value: string;
  run: string;
}

interface Checkpoint {
  id: string;
  parent: string | undefined;
  value: unknown;
  kept: { value: string; version: number };
  run: string;
  /** By task and place; what a write of another run replaced comes back with it. */
  writes: Map<string, Write & { replaced?: Write }>;
}

const PLACES: Record<string, number> = { __interrupt__: -3, __resume__: -4 };
const placeOf = ({ task, channel }: Write) => `${task}:${PLACES[channel] ?? 0}`;

export class Histories {
  readonly threads = new Map<string, ModelThread>();
  /** Of threads whose deletion a process left unfinished. */
  readonly deleting = new Set<string>();

  create(id: string): void {
    this.threads.set(id, new ModelThread(id, new Map()));
  }

  copy(thread: ModelThread, id: string): void {
    this.threads.set(id, new ModelThread(id, structuredClone(thread.namespaces)));
  }
}

export class ModelThread {
  /** The checkpoint from which the next run starts; undefined for the newest. */
  from: string | undefined;
  lastRun: string | undefined;
  /** A process left a removal of it unfinished. */
  removing = false;

  constructor(
    readonly id: string,
    /** Oldest first. */
    readonly namespaces: Map<string, Checkpoint[]>,
  ) {}

  newest(ns: string): Checkpoint | undefined {
    return this.namespaces.get(ns)?.at(-1);
  }

  any(ns: string, which: number): Checkpoint | undefined {
    const list = this.namespaces.get(ns) ?? [];
    return list[which % list.length];
  }

  /** Beside which checkpoint a run writes now. */
  startOf(run: string): Checkpoint | undefined {
    const newest = this.newest("");
    if (newest?.run === run || this.from === undefined) return newest;
    return this.namespaces.get("")?.find(({ id }) => id === this.from) ?? newest;
  }

  add(ns: string, checkpoint: Checkpoint): void {
    this.namespaces.set(ns, [...(this.namespaces.get(ns) ?? []), checkpoint]);
  }

  write(ns: string, id: string, write: Write): void {
    const writes = this.namespaces.get(ns)?.find((checkpoint) => checkpoint.id === id)?.writes;
    const place = placeOf(write);
    const earlier = writes?.get(place);
    if (earlier && place.endsWith(":0")) return;
    const replaced = earlier?.run === write.run ? earlier.replaced : earlier;
    writes?.set(place, { ...write, ...(replaced && { replaced }) });
  }

  /** Nothing of the run is left. */
  undo(run: string): void {
    for (const [ns, list] of this.namespaces) {
      while (list.at(-1)?.run === run) list.pop();
      if (list.length === 0) this.namespaces.delete(ns);
    }
    this.#undoWrites(run, () => true);
  }

  /** The run starts again: what its tasks had finished stays. */
  takeBack(run: string): void {
    for (const [ns, list] of this.namespaces) {
      const left = list.filter((checkpoint) => checkpoint.run !== run);
      if (left.length > 0) this.namespaces.set(ns, left);
      else this.namespaces.delete(ns);
    }
    this.#undoWrites(run, (place) => !place.endsWith(":0"));
  }

  #undoWrites(run: string, goes: (place: string) => boolean): void {
    for (const list of this.namespaces.values())
      for (const { writes } of list)
        for (const [place, { replaced, ...write }] of writes) {
          if (write.run !== run || !goes(place)) continue;
          if (replaced) writes.set(place, { ...replaced });
          else writes.delete(place);
        }
  }

  prune(): void {
    for (const [ns, list] of this.namespaces) this.namespaces.set(ns, list.slice(-1));
  }

  *ids(): Generator<[ns: string, id: string]> {
    for (const [ns, list] of this.namespaces) for (const { id } of list) yield [ns, id];
  }

  has(ns: string, id: string): boolean {
    return this.namespaces.get(ns)?.some((checkpoint) => checkpoint.id === id) ?? false;
  }

  /** As the saver lists it: newest first, writes in LangGraph's order. */
  seen(): Record<string, unknown[]> {
    return Object.fromEntries(
      [...this.namespaces].map(([ns, list]) => [
        ns,
        list
          .toReversed()
          .map(({ id, parent, value, kept, writes }) => [
            id,
            parent,
            { a: value, kept: kept.value },
            [...writes.values()].sort(inOrder).map(({ task, channel, value }) => [task, channel, value]),
          ]),
      ]),
    );
  }
}

function inOrder(a: Write, b: Write): number {
  if (a.task !== b.task) return a.task < b.task ? -1 : 1;
  return (PLACES[a.channel] ?? 0) - (PLACES[b.channel] ?? 0);
}
