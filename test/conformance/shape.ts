/**
 * What an answer must look like, field by field: an object must have these keys and no others, a list these elements. A
 * function says what it wants of a value; everything else must be equal.
 */
export type Wanted = ((value: unknown) => string | undefined) | readonly Wanted[] | { [key: string]: Wanted } | Plain;
type Plain = string | number | boolean | null | undefined;
export type Check = (value: unknown) => string | undefined;

/** A case did not get what it wanted; the message names each field. */
export class Mismatch extends Error {
  override name = "Mismatch";
}

/** @throws Mismatch */
export function must(value: unknown, wanted: Wanted, what = "answer"): void {
  const wrong = differences(value, wanted, what);
  if (wrong.length > 0) throw new Mismatch(wrong.slice(0, 8).join("; "));
}

export const is =
  (what: string, test: (value: unknown) => boolean): Check =>
  (value) =>
    test(value) ? undefined : `must be ${what}, not ${show(value)}`;

const matches = (what: string, pattern: RegExp) =>
  is(what, (value) => typeof value === "string" && pattern.test(value));

export const uuid = matches("a uuid", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
export const time = matches("a time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/);
export const text = is("a text", (value) => typeof value === "string" && value !== "");
export const number = is("a number", (value) => typeof value === "number");
export const object = is("an object", isRecord);
export const anything: Check = () => undefined;

/** Each element is like this one. */
export const each =
  (wanted: Wanted): Check =>
  (value) =>
    Array.isArray(value)
      ? value.flatMap((element, index) => differences(element, wanted, `[${index}]`))[0]
      : `must be a list, not ${show(value)}`;

/** The same of a list that is not empty: where nothing came, nothing is shown. */
export const some =
  (wanted: Wanted): Check =>
  (value) =>
    Array.isArray(value) && value.length === 0 ? "must not be empty" : each(wanted)(value);

/** These keys, whatever others there are. */
export const having =
  (wanted: Record<string, Wanted>): Check =>
  (value) => {
    if (!isRecord(value)) return `must be an object, not ${show(value)}`;
    return Object.entries(wanted).flatMap(([key, inner]) => differences(value[key], inner, `.${key}`))[0];
  };

function differences(value: unknown, wanted: Wanted, path: string): string[] {
  if (typeof wanted === "function") {
    const wrong = wanted(value);
    return wrong === undefined ? [] : [/^[.[]/.test(wrong) ? `${path}${wrong}` : `${path} ${wrong}`];
  }
  if (Array.isArray(wanted)) {
    if (!Array.isArray(value)) return [`${path} must be a list, not ${show(value)}`];
    const lengths =
      value.length === wanted.length ? [] : [`${path} must have ${wanted.length} elements: ${show(value)}`];
    return [...lengths, ...wanted.flatMap((inner, index) => differences(value[index], inner, `${path}[${index}]`))];
  }
  if (isRecord(wanted)) {
    if (!isRecord(value)) return [`${path} must be an object, not ${show(value)}`];
    const more = Object.keys(value).filter((key) => value[key] !== undefined && !(key in wanted));
    return [
      ...more.map((key) => `${path}.${key} is not wanted: ${show(value[key])}`),
      ...Object.entries(wanted).flatMap(([key, inner]) => differences(value[key], inner as Wanted, `${path}.${key}`)),
    ];
  }
  return Object.is(value, wanted) ? [] : [`${path} must be ${show(wanted)}, not ${show(value)}`];
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 160 ? `${json.slice(0, 160)}…` : json;
}
