/**
 * A thread's checkpoints with changes that wait in memory: what LangGraph writes while it computes a state update. It
 * reads what it wrote; Redis learns of it in one transaction, or never. Nothing of an update that fails on its way, or
 * whose thread has changed meanwhile, is ever stored.
 *
 * LangGraph's updates ask for single checkpoints and for ancestors, and list nothing.
 */
import { setImmediate as othersTurn } from "node:timers/promises";
import type { Writer } from "./author.js";
import { CheckpointStore, putCall, putWritesCall, type ScriptCall, type TaskWrites } from "./store.js";
import type { Ancestor, Place, Step, StoredCheckpoint, StoredWrite } from "./stored.js";

/** What one transaction may bring: Redis answers nobody else meanwhile. */
const MOST_BYTES = 32 * 1024 * 1024;

/** An update that is too large for one transaction. */
export class DraftTooLarge extends Error {
  override name = "DraftTooLarge";

  constructor() {
    super(`the states that it makes take more than ${MOST_BYTES / 1024 / 1024} MiB together`);
  }
}

export class DraftStore extends CheckpointStore {
  readonly #calls: ScriptCall[] = [];
  #bytes = 0;
  /** In the order in which they came: the newest of its namespace is the last. */
  readonly #checkpoints: (StoredCheckpoint & { ns: string })[] = [];
  readonly #writes: (StoredWrite & { ns: string; checkpointId: string })[] = [];

  /** What stores it, in this order, on the thread's partition. */
  get calls(): readonly ScriptCall[] {
    return this.#calls;
  }

  override async put(step: Step, writer: Writer): Promise<boolean> {
    const { ns, id, parentId, head, metadata } = step;
    const parent = parentId === undefined ? undefined : await this.get(step, parentId);
    const held = new Map(parent?.values.map((value) => [value.channel, value]));
    const versions = parent ? JSON.parse(parent.head).channel_versions : {};
    const values = step.changed.map(({ channel, value }) => ({ channel, value }));
    for (const { channel, version } of step.unchanged) {
      const value = held.get(channel);
      if (!value || JSON.stringify(versions[channel] ?? null) !== version) return false;
      values.push(value);
    }
    await this.#keep(putCall(step, writer));
    this.#checkpoints.push({ ns, id, parentId, head, metadata, values, writes: [], parentSends: [] });
    return true;
  }

  override async putWrites(place: Place, checkpointId: string, task: TaskWrites, writer: Writer): Promise<void> {
    await this.#keep(putWritesCall(place, checkpointId, task, writer));
    for (const write of task.writes)
      this.#writes.push({ ...write, ns: place.ns, checkpointId, taskId: task.id, taskPath: task.path });
  }

  override async get(place: Place, id: string | undefined): Promise<StoredCheckpoint | undefined> {
    const found = this.#drafted(place, id) ?? (await super.get(place, id));
    if (!found) return undefined;
    const beside = this.#writes.filter(({ ns, checkpointId }) => ns === place.ns && checkpointId === found.id);
    return { ...found, writes: [...found.writes, ...beside] };
  }

  override async *ancestors(place: Place, id: string | undefined, channels: string[]): AsyncGenerator<Ancestor> {
    let from = id;
    for (let step = this.#drafted(place, from); step; step = this.#drafted(place, from)) {
      const parent = step.parentId === undefined ? undefined : await this.get(place, step.parentId);
      if (!parent) return;
      yield parent;
      from = parent.id;
    }
    yield* super.ancestors(place, from, channels);
  }

  /** Nothing here waits for Redis: hundreds of steps would leave no other request a turn. @throws DraftTooLarge */
  async #keep(call: ScriptCall): Promise<void> {
    for (const argument of call.args) this.#bytes += typeof argument === "number" ? 8 : argument.length;
    if (this.#bytes > MOST_BYTES) throw new DraftTooLarge();
    this.#calls.push(call);
    await othersTurn();
  }

  #drafted({ ns }: Place, id: string | undefined): StoredCheckpoint | undefined {
    return this.#checkpoints.findLast((each) => each.ns === ns && (id === undefined || each.id === id));
  }
}
