/**
 * Part of `npm run conformance`: the same requests to LangChain's development server and to ours, compared field by field.
 * A difference that nobody intended fails, and so does an intended one that is gone.
 */
import type { Outcome } from "./cases.js";
import { compareExchanges, type Difference, Ids } from "./differential/compare.js";
import { type Exchange, Exchanges } from "./differential/exchange.js";
import { describeIntended, Intentions } from "./differential/intentions.js";
import { uncovered } from "./differential/operations.js";
import { last, type Scenario, scenarios } from "./differential/scenarios.js";
import { type Sides, startSides } from "./differential/sides.js";
import type { Context } from "./parts.js";

/** Each waits most of its time: for runs, and for the development server's looks at its queue. */
const AT_ONCE = 6;

export async function run({ build, say }: Pick<Context, "build" | "say">): Promise<Outcome> {
  const sides = await startSides(build);
  try {
    const intentions = new Intentions();
    const exchanges: [Exchange, Exchange][] = [];
    const failed: string[] = [];
    let passed = 0;
    const play = async (waiting: Scenario[]) => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const { pairs, problems } = await playOn(sides, next);
        exchanges.push(...pairs);
        const ids = new Ids();
        const unintended = pairs.map(([theirs, ours]) =>
          compareExchanges(theirs, ours, ids).filter((difference) => !intentions.include(difference)),
        );
        passed += unintended.filter((differences) => differences.length === 0).length;
        failed.push(...problems, ...describe(next, unintended.flat()));
        say(`differential: ${next.name}: ${pairs.length} exchanges`);
      }
    };
    const atOnce = [...scenarios];
    await Promise.all(Array.from({ length: AT_ONCE }, () => play(atOnce)));
    await play([...last]);
    failed.push(...intentions.gone().map((gone) => `an intended difference is gone: ${describeIntended(gone)}`));
    failed.push(...uncovered(exchanges));
    return { passed, failed };
  } finally {
    await sides.stop();
  }
}

async function playOn(
  sides: Sides,
  scenario: Scenario,
): Promise<{ pairs: [Exchange, Exchange][]; problems: string[] }> {
  const both = [new Exchanges(sides.developmentUrl), new Exchanges(sides.ourUrl)] as const;
  const ends = await Promise.allSettled(both.map((side) => scenario.run(side)));
  const problems = ends.flatMap((end) =>
    end.status === "rejected" ? [`${scenario.name}: it could not be played to its end: ${end.reason}`] : [],
  );
  const [theirs, ours] = both.map(({ all }) => all);
  const pairs = (theirs ?? []).flatMap((exchange, index): [Exchange, Exchange][] => {
    const other = ours?.[index];
    return other ? [[exchange, other]] : [];
  });
  return { pairs, problems };
}

function describe({ name }: Scenario, differences: Difference[]): string[] {
  return differences.map(
    ({ operation, about, path, development, ours }) =>
      `${name}: ${operation}${about && ` (${about})`}: ${path}: the development server says ${short(development)}, ours ${short(ours)}`,
  );
}

const MOST_SHOWN = 300;
const short = (text: string) => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);
