/**
 * How many posts a receiver may have under way in this process. One that hangs must leave slots to others, and one that
 * fails gets few until it answers well again. One that fails now and then is not held up: the next answer is a good one.
 */
const MOST = 24;
const MOST_WHILE_FAILING = 4;
const FAILS_AFTER = 3;
/** Callers name receivers: of so many it is remembered that they fail. */
const REMEMBERED = 1_000;

export class Receivers {
  readonly #underWay = new Map<string, number>();
  /** How often in a row. */
  readonly #failed = new Map<string, number>();

  /** @returns false when the receiver of this address has as many as it may */
  begin(address: string): boolean {
    const receiver = receiverOf(address);
    if (this.#isFull(receiver)) return false;
    this.#underWay.set(receiver, (this.#underWay.get(receiver) ?? 0) + 1);
    return true;
  }

  /** @param well whether it answered, be it with a refusal; undefined: nobody knows */
  end(address: string, well: boolean | undefined): void {
    const receiver = receiverOf(address);
    const others = (this.#underWay.get(receiver) ?? 1) - 1;
    if (others === 0) this.#underWay.delete(receiver);
    else this.#underWay.set(receiver, others);
    if (well) this.#failed.delete(receiver);
    if (well !== false) return;
    if (this.#failed.size >= REMEMBERED) this.#failed.clear();
    this.#failed.set(receiver, (this.#failed.get(receiver) ?? 0) + 1);
  }

  /** Those that have as many as they may, as their addresses begin. */
  full(): { failing: string[]; busy: string[] } {
    const full = [...this.#underWay.keys()].filter((receiver) => this.#isFull(receiver));
    return {
      failing: full.filter((receiver) => this.#fails(receiver)),
      busy: full.filter((receiver) => !this.#fails(receiver)),
    };
  }

  #isFull(receiver: string): boolean {
    return (this.#underWay.get(receiver) ?? 0) >= (this.#fails(receiver) ? MOST_WHILE_FAILING : MOST);
  }

  #fails(receiver: string): boolean {
    return (this.#failed.get(receiver) ?? 0) >= FAILS_AFTER;
  }
}

function receiverOf(address: string): string {
  return /^\w+:\/\/[^/?#]+/.exec(address)?.[0] ?? address;
}
