/**
 * The runs that a worker executes, at most `size` at once, by the nonce of their claim. A slot is free, then reserved for
 * a claim, then held by the run that the claim got; a claim that got none gives it back.
 */
export class Slots<T = unknown> {
  readonly #held = new Map<string, T>();
  #reserved = 0;
  /** Who waits for a slot, the longest first; each is told whether it got one. */
  #line: ((reserved: boolean) => void)[] = [];
  #closed = false;

  constructor(readonly size: number) {}

  get used(): number {
    return this.#held.size;
  }

  get full(): boolean {
    return this.#held.size + this.#reserved >= this.size;
  }

  get(owner: string): T | undefined {
    return this.#held.get(owner);
  }

  values(): T[] {
    return [...this.#held.values()];
  }

  /** Reserves a slot if one is free now. */
  tryReserve(): boolean {
    if (this.full || this.#closed) return false;
    this.#reserved++;
    return true;
  }

  /** Reserves a slot, in turn. @returns false after `close` */
  async reserve(): Promise<boolean> {
    if (this.#closed || this.tryReserve()) return !this.#closed;
    return await new Promise((tell) => this.#line.push(tell));
  }

  giveBack(): void {
    this.#reserved--;
    this.#handOn();
  }

  /** A run takes a reserved slot. */
  take(owner: string, execution: T): void {
    this.#reserved--;
    this.#held.set(owner, execution);
  }

  release(owner: string): void {
    this.#held.delete(owner);
    this.#handOn();
  }

  /** Reserves nothing more; whoever waits is told so. */
  close(): void {
    this.#closed = true;
    for (const tell of this.#line.splice(0)) tell(false);
  }

  #handOn(): void {
    if (this.full) return;
    const first = this.#line.shift();
    if (!first) return;
    this.#reserved++;
    first(true);
  }
}
