/** The runs that a worker executes, at most `size` at once, by the nonce of their claim. */
export class Slots<T = unknown> {
  readonly #held = new Map<string, T>();
  #wake: () => void = () => {};

  constructor(readonly size: number) {}

  get used(): number {
    return this.#held.size;
  }

  get(owner: string): T | undefined {
    return this.#held.get(owner);
  }

  values(): T[] {
    return [...this.#held.values()];
  }

  take(owner: string, execution: T): void {
    this.#held.set(owner, execution);
  }

  release(owner: string): void {
    this.#held.delete(owner);
    this.#wake();
  }

  /** Resolves when a slot is free, or at `wakeWaiting`. One waiter at a time. */
  async free(): Promise<void> {
    if (this.#held.size < this.size) return;
    await new Promise<void>((wake) => {
      this.#wake = wake;
    });
  }

  wakeWaiting(): void {
    this.#wake();
  }
}
