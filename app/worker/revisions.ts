/**
 * Which revision of its task definition a worker is of, and whether healthy workers of a later one are there: then a
 * deploy goes on, and it should let go of its runs and not claim others. Outside of ECS nobody has a revision.
 */
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { loadScript } from "../redis/scripts.js";
import { runScriptFolder } from "../runs/scripts.js";
import type { Log } from "../telemetry/log.js";

export interface TaskRevision {
  family: string;
  revision: number;
}

const ANSWERS_WITHIN_MS = 5_000;
const ATTEMPTS = 3;

const registerWorker = loadScript(new URL("./lua/", import.meta.url), "register_worker", runScriptFolder);

/**
 * Asks ECS. @param metadataUri ECS_CONTAINER_METADATA_URI_V4; undefined outside of ECS
 * @returns undefined where there is no answer: the worker then goes on whatever is deployed
 */
export async function readTaskRevision(metadataUri: string | undefined, log: Log): Promise<TaskRevision | undefined> {
  if (metadataUri === undefined) return undefined;
  let reason = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++)
    try {
      const answer = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
      const { Family: family, Revision } = (await answer.json()) as { Family?: unknown; Revision?: unknown };
      const revision = Number(Revision);
      if (typeof family === "string" && Number.isInteger(revision)) return { family, revision };
      reason = `${answer.status}, without Family and Revision`;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  log.warn({ event: "task_revision_unknown", reason }, "ECS did not say which revision this task is of");
  return undefined;
}

/** One worker's place in the list of all. */
export class Registration {
  readonly #key: string;

  constructor(
    private readonly redis: Redis,
    keys: Keys,
    private readonly task: TaskRevision,
    /** Unlike that of any other worker. */
    private readonly instance: string,
  ) {
    this.#key = keys.in(0, "workers");
  }

  /** @returns the later revision that a healthy worker is of, if any */
  async renew(ttlMs: number): Promise<number | undefined> {
    const { family, revision } = this.task;
    const latest = await registerWorker.run(this.redis, this.#key, family, revision, this.instance, ttlMs);
    return Number(latest) > revision ? Number(latest) : undefined;
  }

  async leave(): Promise<void> {
    await this.renew(0);
  }
}
