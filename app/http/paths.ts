/**
 * Which methods a path has, whatever the order in which routes were made: a request is one for the path that names it most
 * exactly, so `DELETE /threads/search` asks for a method that is not there, and not for a thread named search.
 */
export class Paths {
  readonly #methods = new Map<string, Set<string>>();

  /** @param path in Express's form, such as `/threads/:thread_id` */
  add(path: string, method: string): void {
    this.#methods.set(path, (this.#methods.get(path) ?? new Set()).add(method));
  }

  /** @returns undefined for a path that there is not */
  methodsOf(requestPath: string): ReadonlySet<string> | undefined {
    const asked = segmentsOf(requestPath);
    const named = [...this.#methods.keys()].filter((path) => names(segmentsOf(path), asked));
    const [first] = named.sort((a, b) => Number(isMoreExact(b, a)) - Number(isMoreExact(a, b)));
    return first === undefined ? undefined : this.#methods.get(first);
  }
}

/** Express takes one slash at the end for none. */
const segmentsOf = (path: string) =>
  path
    .replace(/(.)\/$/, "$1")
    .split("/")
    .slice(1);

const isVariable = (segment: string) => segment.startsWith(":");

function names(path: string[], asked: string[]): boolean {
  return (
    path.length === asked.length &&
    path.every((segment, at) => (isVariable(segment) ? asked[at] !== "" : segment === asked[at]))
  );
}

/** The first segment that is fixed in one and variable in the other decides. */
function isMoreExact(a: string, b: string): boolean {
  const [of, than] = [segmentsOf(a), segmentsOf(b)];
  const at = of.findIndex((segment, index) => isVariable(segment) !== isVariable(than[index] ?? ""));
  return at >= 0 && !isVariable(of[at] ?? "");
}
