/** How the list of intended differences is read: which of them a difference is, and which were never met. */
import type { Difference } from "./compare.js";
import type { Intended } from "./intended/entry.js";
import { INTENDED } from "./intended.js";

export class Intentions {
  readonly #met = new Set<Intended>();

  constructor(private readonly intended = INTENDED) {}

  /** Whether the difference is intended. */
  include(difference: Difference): boolean {
    const found = this.intended.filter((entry) => isOf(entry, difference));
    for (const entry of found) this.#met.add(entry);
    return found.length > 0;
  }

  /** Those that no difference was of. */
  gone(): Intended[] {
    return this.intended.filter((entry) => !this.#met.has(entry));
  }
}

function isOf(entry: Intended, { operation, about, path, development, ours }: Difference): boolean {
  return (
    (entry.operations?.includes(operation) ?? true) &&
    (entry.about?.includes(about) ?? true) &&
    (entry.development ?? development) === development &&
    (entry.ours ?? ours) === ours &&
    patternOf(entry.path).test(path)
  );
}

function patternOf(glob: string): RegExp {
  const parts = glob.split(/(\*\*?)/).map((part) => (part === "**" ? ".*" : part === "*" ? "[^.]*" : escaped(part)));
  return new RegExp(`^${parts.join("")}$`);
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export function describeIntended({ operations, about, path, because }: Intended): string {
  return `${operations?.join(", ") ?? "every operation"}${about ? ` (${about.join(", ")})` : ""}: ${path}: ${because}`;
}
