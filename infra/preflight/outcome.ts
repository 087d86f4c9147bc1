/** What a check found, and how it is shown: a line each, a second one with the mend. */

export type Outcome =
  | { found: string }
  | {
      problem: string;
      mend: string;
      /** A program that has to be installed. */
      missing?: boolean;
    };

export interface Check {
  name: string;
  run(): Promise<Outcome>;
}

/** Never rejects: what a check throws is its problem. */
export async function outcomeOf({ run }: Check): Promise<Outcome> {
  try {
    return await run();
  } catch (error) {
    return {
      problem: error instanceof Error ? error.message : String(error),
      mend: "see what the command prints in this shell by itself: an alias, a wrapper or a setting changes its answer",
    };
  }
}

export function lineOf(name: string, outcome: Outcome): string {
  if ("found" in outcome) return `ok    ${name.padEnd(14)} ${outcome.found}`;
  return `FAIL  ${name.padEnd(14)} ${outcome.problem}\n      ${"".padEnd(14)} mend: ${outcome.mend}`;
}

/** The contract's: 0 all is well, 3 something has to be installed, 1 anything else. */
export function exitCodeOf(outcomes: Outcome[]): 0 | 1 | 3 {
  const problems = outcomes.filter((outcome) => "problem" in outcome);
  if (problems.length === 0) return 0;
  return problems.some(({ missing }) => missing) ? 3 : 1;
}
