/** Cases of the conformance suite: each does what a user would, through an SDK, and looks at all that comes back. */
import type { Client } from "@langchain/langgraph-sdk";

/** Where the cases are sent. */
export interface Target {
  /** Of the topology: one server, or the load balancer before several. */
  url: string;
  client: Client;
  /** A way in whose connections can be cut: its own for each who asks. */
  shaky(): Promise<Shaky>;
  /** Kills the server that answers the run's stream; undefined where it is the only one. */
  killServerOf?: ((runId: string) => Promise<void>) | undefined;
}

export interface Shaky {
  url: string;
  client: Client;
  cut(): void;
}

export interface Case {
  name: string;
  /** It touches what others see too, so nothing else runs meanwhile. */
  alone?: true;
  run(target: Target): Promise<void>;
}

export interface Outcome {
  passed: number;
  /** A line each: the case and what was wrong. */
  failed: string[];
}

export const outcomeOf = (outcomes: Outcome[]): Outcome => ({
  passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
  failed: outcomes.flatMap(({ failed }) => failed),
});

const AT_ONCE = 6;
export const CASE_LIMIT_MS = 60_000;

/** @param prefix of the lines that tell of failures */
export async function runCases(cases: Case[], target: Target, prefix: string): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, failed: [] };
  const run = async ({ name, run }: Case) => {
    try {
      await within(run(target));
      outcome.passed++;
    } catch (error) {
      outcome.failed.push(`${prefix}${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const together = cases.filter(({ alone }) => !alone);
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = together.shift(); next; next = together.shift()) await run(next);
    }),
  );
  for (const one of cases) if (one.alone) await run(one);
  return outcome;
}

async function within(work: Promise<void>): Promise<void> {
  let limit: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    limit = setTimeout(() => reject(new Error(`it took more than ${CASE_LIMIT_MS / 1000} s`)), CASE_LIMIT_MS);
  });
  await Promise.race([work, tooLate]).finally(() => clearTimeout(limit));
}
