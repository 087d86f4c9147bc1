/** The command line of `npm run chaos`. */
import { resolve } from "node:path";
import { parseOptions, UsageError } from "../support/commandLine.js";
import type { Form } from "./history.js";

export const usage = `npm run chaos -- [options]

Servers and workers under load, while processes, Redis and the network fail by a schedule that the seed draws. At the end
what clients saw and what Redis holds are checked against the invariants of docs/reliability.md.

  --seconds N     how long faults happen, 15 to 3000 (60)
  --seed N        which schedule and which load (1)
  --redis FORM    standalone, failover (a primary with a replica) or cluster (three masters, a replica each) (standalone)
  --json FILE     write the figures there
  --help          this text

Exit codes: 0 no violation, 1 violations, or a run of 60 s or more that saw too few runs or faults, 2 wrong usage.
`;

export interface ChaosOptions {
  seconds: number;
  seed: number;
  form: Form;
  /** Absolute path. */
  json?: string;
}

const FORMS: readonly Form[] = ["standalone", "failover", "cluster"];
/** The events of a run are kept for an hour after its end, and are needed for the audit. */
const SECONDS = { least: 15, most: 3_000 };

const OPTIONS = {
  seconds: { type: "string" },
  seed: { type: "string" },
  redis: { type: "string" },
  json: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** @param folder what a relative FILE is relative to @throws UsageError @returns undefined where only help is wanted */
export function readOptions(args: string[], folder: string): ChaosOptions | undefined {
  const given = parseOptions(args, OPTIONS);
  if (given.help) return undefined;
  const form = FORMS.find((known) => known === (given.redis ?? "standalone"));
  if (!form) throw new UsageError(`--redis must be ${FORMS.join(", ")}, not ${given.redis}`);
  return {
    seconds: whole("--seconds", given.seconds ?? "60", SECONDS.least, SECONDS.most),
    seed: whole("--seed", given.seed ?? "1", 0, 2 ** 32 - 1),
    form,
    ...(given.json !== undefined && { json: resolve(folder, given.json) }),
  };
}

function whole(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new UsageError(`${option} must be a whole number from ${least} to ${most}, not ${text}`);
  return value;
}
