/** How an open answer follows what Redis tells, as a stream of a run or of a thread. */
import type { Following } from "../runs/followLoop.js";
import type { Log } from "../telemetry/log.js";
import { databaseAway } from "./errors.js";
import type { OpenAnswer } from "./openAnswers.js";

/** As long as any command of a request may take (`app/redis/connect.ts`). */
const FOLLOW_WITHIN_MS = 2_000;

/**
 * The subscriber's connection waits for Redis, however long it is away; a request doesn't.
 * @throws HttpError 503
 */
export function followInTime<F extends { close(): void }>(following: Promise<F>): Promise<F> {
  let limit: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    limit = setTimeout(() => {
      following.then((follow) => follow.close()).catch(() => {});
      reject(databaseAway());
    }, FOLLOW_WITHIN_MS);
  });
  return Promise.race([following, tooLate]).finally(() => clearTimeout(limit));
}

/** A follow that fails, when Redis goes away for long, cuts the answer: the client resumes when it is back. */
export async function readInto<E>(
  answer: OpenAnswer,
  follow: Following<E>,
  log: Log,
  take: (events: E[]) => Promise<void>,
): Promise<void> {
  try {
    for await (const events of follow) {
      await take(events);
      if (answer.gone) return;
    }
  } catch (error) {
    log.warn({ reason: String(error) }, "an open answer was cut");
    answer.destroy();
  }
}
