/**
 * Two answers compared field by field. What differs by nature is no difference: ids, as long as the same one stands at
 * the same places of a scenario on both sides; times; ids of events.
 */
import type { Exchange, StreamedEvent } from "./exchange.js";

export interface Difference {
  operation: string;
  about: string;
  /** Such as `status`, `headers.location`, `body.0.metadata.graph_id`, `events.values.data.steps`. */
  path: string;
  /** What each says, as JSON with `<id>` and `<time>`; `nothing` where the field isn't there. */
  development: string;
  ours: string;
}

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b/gi;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g;

export const NOTHING = "nothing";

/** Which ids mean the same: of one scenario. */
export class Ids {
  readonly #ours = new Map<string, string>();
  readonly #theirs = new Map<string, string>();

  /** Whether nothing so far speaks against it. */
  mean(theirs: string, ours: string): boolean {
    const known = this.#ours.get(theirs) ?? ours;
    const knownBack = this.#theirs.get(ours) ?? theirs;
    if (known !== ours || knownBack !== theirs) return false;
    this.#ours.set(theirs, ours);
    this.#theirs.set(ours, theirs);
    return true;
  }
}

export function compareExchanges(theirs: Exchange, ours: Exchange, ids: Ids): Difference[] {
  const { operation, about } = theirs;
  const found: Omit<Difference, "operation" | "about">[] = [];
  const compare = (path: string, one: unknown, other: unknown) => compareValues(path, one, other, ids, found);
  compare("status", theirs.status, ours.status);
  const refused = [theirs, ours].filter(({ status }) => status >= 400).length;
  // What one refuses and the other does has nothing else in common.
  if (refused !== 1) compare("headers", theirs.headers, ours.headers);
  // A refusal's sentence is each one's own: what counts is what form it has.
  if (refused === 2) compare("body", form(theirs.body), form(ours.body));
  if (refused === 0) {
    compare("body", theirs.body, ours.body);
    compareEvents(theirs.events, ours.events, compare);
  }
  return found.map((difference) => ({ operation, about, ...difference }));
}

function form(body: unknown): string {
  if (typeof body !== "object" || body === null) return typeof body;
  return Object.entries(body)
    .map(([name, value]) => `${name}: ${typeof value}`)
    .join(", ");
}

function compareValues(
  path: string,
  theirs: unknown,
  ours: unknown,
  ids: Ids,
  found: Omit<Difference, "operation" | "about">[],
): void {
  if (isObject(theirs) && isObject(ours) && Array.isArray(theirs) === Array.isArray(ours)) {
    for (const [theirName, ourName] of pairsOfNames(theirs, ours, ids)) {
      const name = theirName ?? ourName ?? "";
      const one = theirName === undefined ? undefined : Reflect.get(theirs, theirName);
      const other = ourName === undefined ? undefined : Reflect.get(ours, ourName);
      compareValues(`${path}.${shown(name)}`, one, other, ids, found);
    }
    return;
  }
  if (typeof theirs === "string" && typeof ours === "string" && sameText(theirs, ours, ids)) return;
  if (theirs === ours) return;
  const [development, other] = [render(theirs), render(ours)];
  found.push({ path, development, ours: other === development ? other.replaceAll("<id>", "<another id>") : other });
}

/** Fields by their names; names that hold ids by what is left of them, in their order. */
function pairsOfNames(theirs: object, ours: object, ids: Ids): [string | undefined, string | undefined][] {
  const rest = Object.keys(ours);
  const pairs = Object.keys(theirs).map((name): [string, string | undefined] => {
    const exact = rest.indexOf(name);
    const index = exact >= 0 ? exact : rest.findIndex((other) => shown(name) !== name && sameText(name, other, ids));
    return [name, index >= 0 ? rest.splice(index, 1)[0] : undefined];
  });
  return [...pairs, ...rest.map((name): [undefined, string] => [undefined, name])];
}

function sameText(theirs: string, ours: string, ids: Ids): boolean {
  if (shown(theirs) !== shown(ours)) return false;
  const ourIds = ours.match(ID) ?? [];
  return (theirs.match(ID) ?? []).every((id, index) => ids.mean(id, ourIds[index] ?? ""));
}

const shown = (text: string) => text.replace(ID, "<id>").replace(TIME, "<time>");

function render(value: unknown): string {
  return value === undefined ? NOTHING : shown(JSON.stringify(value));
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

type Compare = (path: string, theirs: unknown, ours: unknown) => void;

/** As sequences: an event that only one side has is a difference, and those around it still meet their likes. */
function compareEvents(theirs: StreamedEvent[] | undefined, ours: StreamedEvent[] | undefined, compare: Compare): void {
  if (!theirs || !ours) {
    compare("events", theirs && "a stream", ours && "a stream");
    return;
  }
  compare("events.ids", someIds(theirs), someIds(ours));
  for (const [one, other] of aligned(theirs, ours)) {
    const name = shown((one ?? other)?.event ?? "");
    if (one && other)
      compare(`events.${name}`, { event: one.event, data: one.data }, { event: other.event, data: other.data });
    else compare(`events.${name}`, one && "an event", other && "an event");
  }
}

function someIds(events: StreamedEvent[]): string {
  const ids = events.filter(({ id }) => id !== undefined && id !== "").length;
  return ids === 0 ? "none" : ids === events.length ? "all" : "some";
}

/**
 * By its name; whole messages also by what they say; LangChain's events by what they tell of, and of which step. The
 * graph itself has another name on each side.
 */
function kindOf({ event, data }: StreamedEvent): string {
  if (event === "messages/complete" && Array.isArray(data)) return `${event} ${data.map(({ content }) => content)}`;
  if (event !== "events" || !isObject(data)) return shown(event);
  const { event: kind, name, metadata } = data as { event?: string; name?: string; metadata?: { graph_id?: string } };
  return `events ${kind} ${name === "LangGraph" || name === metadata?.graph_id ? "the graph" : name}`;
}

/** The longest common subsequence of kinds, with what is between. */
function aligned(theirs: StreamedEvent[], ours: StreamedEvent[]): [StreamedEvent?, StreamedEvent?][] {
  const same = (one: StreamedEvent | undefined, other: StreamedEvent | undefined) =>
    one !== undefined && other !== undefined && kindOf(one) === kindOf(other);
  const lengths = Array.from({ length: theirs.length + 1 }, () => new Array<number>(ours.length + 1).fill(0));
  const lengthAt = (row: number, column: number) => lengths[row]?.[column] ?? 0;
  for (let row = theirs.length - 1; row >= 0; row--)
    for (let column = ours.length - 1; column >= 0; column--) {
      const longest = same(theirs[row], ours[column])
        ? lengthAt(row + 1, column + 1) + 1
        : Math.max(lengthAt(row + 1, column), lengthAt(row, column + 1));
      const cells = lengths[row];
      if (cells) cells[column] = longest;
    }
  const pairs: [StreamedEvent?, StreamedEvent?][] = [];
  let row = 0;
  let column = 0;
  while (row < theirs.length || column < ours.length) {
    if (same(theirs[row], ours[column])) pairs.push([theirs[row++], ours[column++]]);
    else if (column >= ours.length || (row < theirs.length && lengthAt(row + 1, column) >= lengthAt(row, column + 1)))
      pairs.push([theirs[row++], undefined]);
    else pairs.push([undefined, ours[column++]]);
  }
  return pairs;
}
