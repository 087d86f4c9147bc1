/** Chance that a seed repeats: the same seed draws the same faults and the same load. */

export interface Random {
  /** 0 ≤ x < 1 */
  next(): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  chance(share: number): boolean;
  pick<T>(of: readonly T[]): T;
  shuffled<T>(of: readonly T[]): T[];
  /** Another sequence from the same seed, for one who must not disturb this one. */
  fork(): Random;
}

/** mulberry32: 32 bits of state are plenty for a schedule. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    chance: (share) => next() < share,
    pick<T>(of: readonly T[]) {
      if (of.length === 0) throw new RangeError("nothing to pick from");
      return of[between(0, of.length - 1)] as T;
    },
    shuffled<T>(of: readonly T[]) {
      const mixed = [...of];
      for (let last = mixed.length - 1; last > 0; last--) {
        const other = between(0, last);
        [mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
      }
      return mixed;
    },
    fork: () => randomFrom(between(0, 2 ** 32 - 1)),
  };
}
