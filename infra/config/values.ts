/**
 * Reads the values of a stack. Pulumi hands every value over as text (lists and objects as JSON), so each reader says
 * which text it accepts. Problems are collected, not thrown one by one: whoever sets up a stack sees all of them at once.
 */

export class StackValues {
  readonly problems: string[] = [];

  /**
   * @param values `namespace:key` to text, as `pulumi.runtime.allConfig()` gives them
   * @param isSecretKey whether a full key holds something encrypted; its value is then never shown
   */
  constructor(
    readonly project: string,
    private readonly values: Record<string, string>,
    private readonly isSecretKey: (fullKey: string) => boolean,
  ) {}

  isSecret(key: string): boolean {
    return this.isSecretKey(`${this.project}:${key}`);
  }

  problem(sentence: string): void {
    this.problems.push(sentence);
  }

  /** Notes a problem: the key, its value unless that is a secret, and what is allowed. */
  refuse(key: string, value: unknown, allowed: string): void {
    const shown = this.isSecret(key.split(/[.[]/)[0] ?? key) ? "(a secret)" : JSON.stringify(value);
    this.problem(`${this.project}:${key} is ${shown}; ${allowed}`);
  }

  /** The value, or undefined where it is not given. */
  text(key: string): string | undefined {
    return this.raw(key).trim() || undefined;
  }

  matching(key: string, pattern: RegExp, allowed: string): string | undefined {
    const value = this.text(key);
    if (value !== undefined && !pattern.test(value)) this.refuse(key, value, allowed);
    return value;
  }

  choice<Choice extends string>(key: string, choices: readonly [Choice, ...Choice[]]): Choice {
    const value = this.raw(key);
    const choice = choices.find((each) => each === value);
    if (choice === undefined) this.refuse(key, value, `it must be one of ${choices.join(", ")}`);
    return choice ?? choices[0];
  }

  count(key: string, least: number, most: number): number {
    const value = this.raw(key);
    const count = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (!(count >= least && count <= most))
      this.refuse(key, value, `it must be a whole number from ${least} to ${most}`);
    return count;
  }

  flag(key: string): boolean {
    const value = this.raw(key);
    if (value !== "true" && value !== "false") this.refuse(key, value, "it must be true or false");
    return value === "true";
  }

  /** A list, checked item by item; `key[0]` names the first. @param most items that AWS takes */
  list<Item>(key: string, allowed: string, read: (item: unknown) => Item | undefined, most: number): Item[] {
    if (this.text(key) === undefined) return [];
    const value = this.json(key);
    if (!Array.isArray(value)) {
      this.refuse(key, value, "it must be a list");
      return [];
    }
    if (value.length > most) this.problem(`${this.project}:${key} holds ${value.length}; it must hold at most ${most}`);
    return value.flatMap((each: unknown, index) => {
      const item = read(each);
      if (item === undefined) this.refuse(`${key}[${index}]`, each, allowed);
      return item === undefined ? [] : [item];
    });
  }

  /** An object of texts; numbers and flags in it count as their text, as in any environment. */
  texts(key: string): Record<string, string> {
    if (this.text(key) === undefined) return {};
    const value = this.json(key);
    if (!isObject(value)) {
      this.refuse(key, value, "it must be an object");
      return {};
    }
    const texts = Object.entries(value).flatMap(([name, each]) => {
      if (typeof each === "string" || typeof each === "number" || typeof each === "boolean")
        return [[name, String(each)]];
      this.refuse(`${key}.${name}`, each, "it must be a text");
      return [];
    });
    return Object.fromEntries(texts);
  }

  private json(key: string): unknown {
    const value = this.raw(key);
    try {
      return JSON.parse(value);
    } catch {
      return value;
    }
  }

  private raw(key: string): string {
    return this.values[`${this.project}:${key}`] ?? "";
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
