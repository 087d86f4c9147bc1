/** Many stateless runs at once: all of them are accepted, or none. */
import { z } from "zod";
import type { Assistant, Assistants } from "../data/assistants.js";
import { type NewRun, RunRefused } from "../runs/types.js";
import type { Log } from "../telemetry/log.js";
import { takenHeaders } from "./configurableHeaders.js";
import { type Resource, reply } from "./resource.js";
import type { RunsCore } from "./runAnswers.js";
import { StatelessRunBody, toNewRun } from "./runRequest.js";
import { RunShape, toRunShape } from "./shapes.js";

const MOST_RUNS = 1_000;

export interface RunBatchDeps {
  assistants: Pick<Assistants, "forRun">;
  runs: Pick<RunsCore, "enqueue" | "cancel">;
  log: Log;
}

export function runBatchRoutes(resource: Resource, { assistants, runs, log }: RunBatchDeps): void {
  /** Each is asked for once, however many runs name it. */
  const assistantsOf = async (bodies: { assistant_id: string }[]): Promise<Map<string, Assistant>> => {
    const ids = [...new Set(bodies.map((body) => body.assistant_id))];
    return new Map(await Promise.all(ids.map(async (id) => [id, await assistants.forRun(id)] as const)));
  };

  /** What went wrong in the middle must not leave runs of which nobody was told. */
  const takeBack = async (wanted: NewRun[]): Promise<void> => {
    const gone = await Promise.allSettled(
      wanted.map(({ threadId, runId }) => runs.cancel(threadId, runId, "rollback")),
    );
    // Those that were refused, or have ended by themselves, need none.
    const left = gone.filter((each) => each.status === "rejected" && !(each.reason instanceof RunRefused)).length;
    if (left > 0) log.warn({ event: "batch_left", runs: left }, "runs of a refused batch may go on");
  };

  resource.post(
    "/runs/batch",
    {
      summary: "Start stateless runs in the background, all or none",
      body: z.array(StatelessRunBody).min(1).max(MOST_RUNS, `must be at most ${MOST_RUNS} runs`),
      answers: {
        200: { description: "the runs, in the order of the request", json: z.array(RunShape) },
        404: "one of the assistants does not exist; no run was started",
      },
    },
    async ({ body, rawBody, request }) => {
      const known = await assistantsOf(body);
      const bodies = rawBody as unknown[];
      const wanted = body.map((each, at) => {
        const lifetime = each.on_completion;
        const sent = { path: request.path, rawBody: bodies[at], configurable: takenHeaders(request) };
        const target = { lifetime, idempotencyKey: undefined, ...sent } as const;
        return toNewRun(each, known.get(each.assistant_id) as Assistant, target);
      });
      const results = await Promise.allSettled(wanted.map((run) => runs.enqueue(run)));
      const failure = results.find((result) => result.status === "rejected");
      if (failure) {
        await takeBack(wanted);
        throw failure.reason;
      }
      return reply(results.flatMap((result) => (result.status === "fulfilled" ? [toRunShape(result.value)] : [])));
    },
  );
}
