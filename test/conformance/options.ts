/** The command line of `npm run conformance`. */
import { resolve } from "node:path";
import { parseOptions, UsageError } from "../support/commandLine.js";
import { PARTS, type PartName } from "./parts.js";

export const usage = `npm run conformance -- [options]

The official SDKs, newest and old, RemoteGraph and plain requests against one server and against several behind the load
balancer; what comes back is checked field by field. docs/conformance.md says what each part is.

  --only PART     one part: ${PARTS.join(", ")}
  --write         write the table in docs/api.md instead of comparing it
  --json FILE     write how many passed and failed there
  --help          this text

Exit codes: 0 all passed, 1 something failed, 2 wrong usage, 3 something is missing (and how to get it).
`;

export interface Options {
  parts: readonly PartName[];
  write: boolean;
  /** Absolute path. */
  json?: string;
}

/** The table tells what these called. */
const BEFORE_TABLE: readonly PartName[] = ["http", "sdk-js", "sdk-python"];

const OPTIONS = {
  only: { type: "string" },
  write: { type: "boolean" },
  json: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** @param folder what a relative FILE is relative to @throws UsageError @returns undefined where only help is wanted */
export function readOptions(args: string[], folder: string): Options | undefined {
  const given = parseOptions(args, OPTIONS);
  if (given.help) return undefined;
  const only = PARTS.find((part) => part === given.only);
  if (given.only !== undefined && !only)
    throw new UsageError(`--only must be one of ${PARTS.join(", ")}, not ${given.only}`);
  return {
    parts: only === undefined ? PARTS : only === "table" ? [...BEFORE_TABLE, only] : [only],
    write: given.write ?? false,
    ...(given.json !== undefined && { json: resolve(folder, given.json) }),
  };
}
