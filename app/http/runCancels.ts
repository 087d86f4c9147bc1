/** Cancelling: one run, on whichever worker it is, or many at once. */
import { z } from "zod";
import type { Reply, Resource } from "./resource.js";
import type { RunAnswers, RunsCore } from "./runAnswers.js";
import { idOf } from "./runs.js";
import { CancelAction, Id, optional, QueryFlag, RunPath } from "./shapes.js";

const CANCEL_ACTION = "the run ends and its checkpoints stay (`interrupt`), or both are removed (`rollback`)";

const NOT_GIVEN = { type: "null" as const };
const GIVEN = { thread_id: { type: "string" as const }, run_ids: { type: "array" as const } };

/** By status on all threads, or by id on one: both at once could only be a mistake. */
const CancelMany = z
  .object({
    status: optional(z.enum(["pending", "running", "all"])),
    thread_id: optional(Id),
    run_ids: optional(z.array(Id).min(1).max(1_000)),
  })
  .transform(({ status, thread_id, run_ids }, context) => {
    if (status && !thread_id && !run_ids) return { status };
    if (!status && thread_id && run_ids) return { thread_id, run_ids };
    context.addIssue({ code: "custom", message: "must have either status, or thread_id and run_ids" });
    return z.NEVER;
  })
  .meta({
    id: "RunsCancel",
    description: "Either `status`, or `thread_id` and `run_ids`.",
    oneOf: [
      { required: ["status"], properties: { status: { type: "string" }, thread_id: NOT_GIVEN, run_ids: NOT_GIVEN } },
      { required: ["thread_id", "run_ids"], properties: { status: NOT_GIVEN, ...GIVEN } },
    ],
  });

export interface RunCancelsDeps {
  runs: Pick<RunsCore, "cancel" | "cancelAll" | "cancelThese" | "removed">;
  answers: Pick<RunAnswers, "whenEnded">;
}

export function runCancelRoutes(resource: Resource, { runs, answers }: RunCancelsDeps): void {
  resource.post(
    "/threads/:thread_id/runs/:run_id/cancel",
    {
      summary: "Cancel a run, on whichever worker it is",
      params: RunPath,
      query: z.object({
        wait: QueryFlag.default(false).describe("answer when the run has ended, and with `rollback` when it is gone"),
        action: CancelAction.default("interrupt").describe(CANCEL_ACTION),
      }),
      answers: {
        202: "stored; the run will stop",
        204: "the run has ended",
        404: "the thread or the run does not exist",
        409: "the run had ended already",
      },
    },
    async ({ params, query: { wait, action }, response }): Promise<Reply> => {
      const id = idOf(params);
      const cancel = () => runs.cancel(id.threadId, id.runId, action);
      if (!wait) await cancel();
      else if (action === "interrupt") await answers.whenEnded(id, response, cancel);
      else await cancel().then(() => runs.removed(id.threadId, id.runId));
      return { status: wait ? 204 : 202 };
    },
  );

  resource.post(
    "/runs/cancel",
    {
      summary: "Cancel many runs: those of a status on all threads, or these of one thread",
      query: z.object({ action: CancelAction.default("interrupt").describe(CANCEL_ACTION) }),
      body: CancelMany,
      answers: {
        204: "stored; they will stop. Runs that had ended stay as they are",
        404: "one of the runs does not exist",
      },
    },
    async ({ query: { action }, body }): Promise<Reply> => {
      if (body.status !== undefined) await runs.cancelAll(body.status, action);
      else await runs.cancelThese(body.thread_id, body.run_ids, action);
      return { status: 204 };
    },
  );
}
