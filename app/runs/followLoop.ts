/**
 * What follows of a run and of a thread have in common: how what PubSub brings, and what is read where it did not, become
 * batches for one reader. What is held in memory is bounded; a reader that is slower than that is *behind*, and reads from
 * the streams at its own pace.
 */
import { isAway } from "../redis/away.js";
import type { EventMessage } from "./events.js";

/** Batches of events in order, without gap or repetition; ends by itself after the last. `close` frees it at once. */
export interface Following<E> extends AsyncIterable<E[]> {
  close(): void;
}

/** What the process's one subscriber feeds. */
export interface Fed {
  /** @param bytes length of the message */
  receive(message: EventMessage, bytes: number): void;
  /** Something may have been missed: look into the stream. */
  fallBehind(): void;
  /** The hash, and those of its fields, that tell whether a message was missed. */
  readonly checked: { key: string; fields: string[] };
  /** @returns what takes those fields once they are read; what came meanwhile is not counted against them */
  ask(): (fields: (string | null)[]) => void;
}

/** JSON of the state now; undefined where none is stored. */
export type CurrentState = () => Promise<string | undefined>;

export interface FollowLoopOptions {
  /** Without it a lost place is passed over, for those who wait for the end alone. */
  currentState: CurrentState | undefined;
  /** For how long it waits for a Redis that is away. */
  outageMs: number;
  onClosed: () => void;
}

const HELD_BYTES = 1024 * 1024;
const ASK_AGAIN_MS = 250;

export abstract class FollowLoop<E> implements Following<E> {
  protected readonly currentState: CurrentState | undefined;
  readonly #outageMs: number;
  readonly #onClosed: () => void;

  /**
   * While the stream is read, messages only tell how far it reaches: taking them too would repeat events. So until it has
   * begun: where others follow the thread too, messages come before this follow has its place.
   */
  protected reading = true;
  /** The stream has what PubSub did not bring. */
  #behind = false;
  /** The stream does not go on from where the reader is. */
  #lost = false;
  #held: E[] = [];
  #heldBytes = 0;
  #closed = false;
  #awaySince: number | undefined;
  #wake: () => void = () => {};

  protected constructor({ currentState, outageMs, onClosed }: FollowLoopOptions) {
    this.currentState = currentState;
    this.#outageMs = outageMs;
    this.#onClosed = onClosed;
  }

  /** Reads on from where the reader is. */
  protected abstract readPage(): Promise<E[]>;
  /** Tells the state, and goes on from there. */
  protected abstract tellPlace(): Promise<E[]>;
  protected abstract isLast(event: E): boolean;

  /** Messages can be taken as they come. */
  protected get isLive(): boolean {
    return !this.reading && !this.#behind && !this.#lost;
  }

  /** @returns false when the reader has too much to read already */
  protected hold(events: E[], bytes: number): boolean {
    if (this.#heldBytes + bytes > HELD_BYTES) return false;
    this.#held.push(...events);
    this.#heldBytes += bytes;
    this.#wake();
    return true;
  }

  fallBehind(): void {
    this.#behind = true;
    this.#wake();
  }

  protected losePlace(): void {
    this.#lost = true;
    this.#wake();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClosed();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<E[]> {
    try {
      while (!this.#closed) {
        const batch = await this.#next();
        if (batch.length > 0) yield batch;
        const last = batch.at(-1);
        if (last && this.isLast(last)) return;
      }
    } finally {
      this.close();
    }
  }

  async #next(): Promise<E[]> {
    if (this.#held.length > 0) {
      const batch = this.#held;
      this.#held = [];
      this.#heldBytes = 0;
      return batch;
    }
    if (this.#lost || this.#behind) return await this.#read();
    await this.#woken();
    return [];
  }

  /** While Redis is away it is asked again, as long as a run goes on without it; then the client is cut, and resumes. */
  async #read(): Promise<E[]> {
    const lost = this.#lost;
    this.#behind = false;
    this.#lost = false;
    try {
      const events = await (lost ? this.tellPlace() : this.readPage());
      this.#awaySince = undefined;
      return events;
    } catch (error) {
      const now = performance.now();
      this.#awaySince ??= now;
      if (!isAway(error) || now - this.#awaySince > this.#outageMs) throw error;
      this.#lost ||= lost;
      this.#behind = true;
      await this.#woken(ASK_AGAIN_MS);
      return [];
    }
  }

  #woken(withinMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const limit = withinMs === undefined ? undefined : setTimeout(() => this.#wake(), withinMs);
      this.#wake = () => {
        clearTimeout(limit);
        resolve();
      };
    });
  }
}
