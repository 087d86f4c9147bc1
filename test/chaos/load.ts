/** Users at work: so many at once, each with one scenario after the other, until they are told to come to an end. */
import type { Site } from "./client.js";
import type { Random } from "./random.js";
import { scenarios } from "./scenarios.js";

export interface Load {
  /** How often each kind was played. */
  readonly played: Record<string, number>;
  /** No new scenario begins; resolves when those under way have come to their end. */
  finish(): Promise<void>;
}

export function startLoad(site: Site, users: number): Load {
  const played: Record<string, number> = {};
  const deck = Object.entries(scenarios).flatMap(([kind, { share }]) => Array<string>(share).fill(kind));
  let finishing = false;

  const user = async (random: Random) => {
    // Each goes through all kinds, in an order of his own, so that none is missing however short the run.
    while (!finishing)
      for (const kind of random.shuffled(deck)) {
        if (finishing) return;
        played[kind] = (played[kind] ?? 0) + 1;
        await scenarios[kind]?.play({ ...site, random });
      }
  };
  const all = Promise.all(Array.from({ length: users }, () => user(site.random.fork())));
  return {
    played,
    async finish() {
      finishing = true;
      await all;
    },
  };
}
