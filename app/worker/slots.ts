/** The runs that a worker executes, at most `size` at once. */
export class Slots<T = unknown> {
  readonly #held = new Map<string, T>();
  #wake: () => void = () => {};

  constructor(readonly size: number) {}

  get used(): number {
    return this.#held.size;
  }

  get(id: string): T | undefined {
    return this.#held.get(id);
  }

  values(): T[] {
    return [...this.#held.values()];
  }

  take(id: string, execution: T): void {
    this.#held.set(id, execution);
  }

  release(id: string): void {
    this.#held.delete(id);
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
