/**
 * How long the main thread's loop has stood still, as its heartbeat's thread sees it: by a shared number that the loop
 * changes as long as it turns.
 *
 * Only time that this thread saw pass counts. A process that was stopped, or a machine that slept, finds its clock far
 * ahead and its loop where it was, and that is no fault of the loop.
 */
export class LoopWatch {
  #seen: number;
  #lookedAt: number;
  #blockedMs = 0;

  /** @param lookEveryMs about how often `look` is called */
  constructor(
    private readonly turns: Int32Array,
    private readonly lookEveryMs: number,
    now: number = performance.now(),
  ) {
    this.#seen = Atomics.load(turns, 0);
    this.#lookedAt = now;
  }

  /** @param excused nothing counts: Redis is away @returns for how many ms the loop has stood still */
  look(excused: boolean, now: number = performance.now()): number {
    const turns = Atomics.load(this.turns, 0);
    const passed = Math.min(now - this.#lookedAt, 2 * this.lookEveryMs);
    this.#blockedMs = excused || turns !== this.#seen ? 0 : this.#blockedMs + passed;
    this.#seen = turns;
    this.#lookedAt = now;
    return this.#blockedMs;
  }
}
