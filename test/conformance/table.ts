/**
 * The table in docs/api.md: every operation, the SDKs that the suite has called it with, and whether it is tested. It is
 * made of what was really called, so it can't promise more; a table that differs from it fails.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Outcome } from "./cases.js";
import { type Caller, nameOf, OPERATIONS, type Operation, operationOf, parse } from "./operations.js";
import type { Context } from "./parts.js";
import { isRecord } from "./shape.js";

const PAGE = fileURLToPath(new URL("../../docs/api.md", import.meta.url));
const [BEGIN, END] = ["<!-- coverage: written by npm run conformance -->", "<!-- /coverage -->"];

export async function run(context: Context): Promise<Outcome> {
  const served = await servedBy(context);
  const called = calledBy(context, served);
  const rows = rowsOf(served);
  const outcome = judge(rows, served, called);
  const page = await readFile(PAGE, "utf8");
  const wanted = withTable(page, render(rows, called));
  if (context.write) await writeFile(PAGE, wanted);
  else if (page !== wanted) outcome.failed.push("the table in docs/api.md differs: npm run conformance -- --write");
  else outcome.passed++;
  return outcome;
}

type Named = Pick<Operation, "method" | "path">;
type Called = ReadonlyMap<Caller, ReadonlySet<string>>;

/** What `/openapi.json` has. */
async function servedBy(context: Context): Promise<Named[]> {
  const { topology } = await context.deployment("one");
  const document: unknown = await (await fetch(`${topology.servers[0]?.url}/openapi.json`)).json();
  if (!isRecord(document) || !isRecord(document.paths)) throw new Error("/openapi.json has no paths");
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(isRecord(item) ? item : {})
      .filter((key) => METHODS.has(key))
      .map((method) => ({ method: method.toUpperCase(), path })),
  );
}

const METHODS = new Set(["get", "post", "put", "patch", "delete"]);

/** Calls that were answered as wanted: a refusal alone shows little of an operation. */
function calledBy(context: Context, served: Named[]): Called {
  const known = [...served, ...OPERATIONS];
  const of = (caller: Caller) =>
    (context.calls.get(caller) ?? [])
      .filter(({ status }) => status >= 200 && status < 300)
      .map((call) => canonical(operationOf(call, known)));
  const callers: Caller[] = ["js", "python", "http"];
  return new Map(callers.map((caller) => [caller, new Set(of(caller))]));
}

/** Names of path parameters may differ between our document and the list. */
const canonical = (name: string | undefined): string => (name ?? "").replace(/\{[^}]+\}/g, "{}");

/** The list's order, then what only this server has. */
function rowsOf(served: Named[]): Named[] {
  const listed = new Set(OPERATIONS.map((operation) => canonical(nameOf(operation))));
  return [...OPERATIONS, ...served.filter((operation) => !listed.has(canonical(nameOf(operation))))];
}

function judge(rows: Named[], served: Named[], called: Called): Outcome {
  const has = new Set(served.map((operation) => canonical(nameOf(operation))));
  // The document describes the API; the page that shows it, and itself, it may leave out.
  const undocumented = new Set(["GET /docs", "GET /openapi.json"]);
  const outcome: Outcome = { passed: 0, failed: [] };
  const check = (so: boolean, otherwise: string) => {
    if (so) outcome.passed++;
    else outcome.failed.push(otherwise);
  };
  for (const operation of rows) {
    const name = nameOf(operation);
    check(has.has(canonical(name)) || undocumented.has(name), `${name} is not in /openapi.json`);
    check(isTested(operation, called), `${name} is tested by nothing`);
    for (const sdk of OPERATIONS.find((listed) => listed === operation)?.sdks ?? [])
      check(called.get(sdk)?.has(canonical(name)) === true, `${name} was not called by the ${TITLES[sdk]}`);
  }
  return outcome;
}

const TITLES = { js: "JavaScript SDK", python: "Python SDK" };

const isTested = (operation: Named, called: Called): boolean =>
  [...called.values()].some((names) => names.has(canonical(nameOf(operation))));

function render(rows: Named[], called: Called): string {
  const mark = (so: boolean | undefined) => (so ? "✓" : "–");
  const cells = rows.map((operation) => {
    const name = canonical(nameOf(operation));
    const { method, path } = parse(nameOf(operation));
    const sdks = (["js", "python"] as const).map((sdk) => mark(called.get(sdk)?.has(name)));
    return [`\`${method} ${path}\``, ...sdks, mark(isTested(operation, called))];
  });
  return table([["operation", TITLES.js, TITLES.python, "tested"], ...cells]);
}

function table([head = [], ...body]: string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((row) => (row[column] ?? "").length)));
  const line = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body.map(line)].join("\n");
}

function withTable(page: string, rows: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before === -1 || after < before) throw new Error(`docs/api.md lacks ${BEGIN} … ${END}`);
  return `${page.slice(0, before)}${BEGIN}\n\n${rows}\n\n${page.slice(after)}`;
}
