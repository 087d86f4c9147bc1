/** What creates a run: the bodies that clients send, and how one becomes the run that the core accepts. */
import { v7 } from "uuid";
import { z } from "zod";
import type { Assistant } from "../data/assistants.js";
import type { Lifetime, NewRun, RunPayload } from "../runs/types.js";
import { requestHash } from "./body.js";
import { HttpError } from "./errors.js";
import {
  Checkpoint,
  CheckpointId,
  type CheckpointName,
  count,
  Id,
  JsonObject,
  Metadata,
  MultitaskStrategy,
  namedCheckpoint,
  optional,
  STREAM_MODES,
  StreamMode,
  withoutUndefined,
} from "./shapes.js";

const TEN_YEARS_SECONDS = 10 * 365 * 86_400;

const NodeNames = z.union([z.literal("*"), z.array(z.string())], 'must be "*" or a list of node names');
const GotoTarget = z.union([z.string(), z.object({ node: z.string(), input: z.unknown().optional() })]);

export const Command = z
  .object({
    update: optional(z.unknown()),
    resume: optional(z.unknown()),
    goto: optional(
      z.union([GotoTarget, z.array(GotoTarget)], "must be a node's name, {node, input}, or a list of these"),
    ),
  })
  .transform((command) => (Object.values(command).every((part) => part === undefined) ? undefined : command));

const MODES_SENTENCE = `must be one or a list of ${STREAM_MODES.join(", ")}`;

/** What reaches the graph; other options of LangChain's are for code that holds the graph. */
export const Config = z.object({
  configurable: optional(JsonObject),
  metadata: optional(JsonObject),
  tags: optional(z.array(z.string())),
  recursion_limit: optional(count(1, 1_000_000)),
  max_concurrency: optional(count(1, 10_000)),
});

const RunFields = z.object({
  assistant_id: z.string().min(1).describe("an assistant's id, or the id of a graph"),
  input: optional(z.unknown()).describe("the graph's input"),
  command: optional(Command),
  metadata: optional(Metadata),
  config: optional(Config),
  context: optional(JsonObject),
  interrupt_before: optional(NodeNames),
  interrupt_after: optional(NodeNames),
  stream_mode: optional(z.union([StreamMode, z.array(StreamMode).min(1)], MODES_SENTENCE)),
  stream_subgraphs: optional(z.boolean()),
  stream_resumable: optional(z.boolean()),
  after_seconds: optional(z.number().min(0).max(TEN_YEARS_SECONDS)),
  durability: optional(z.enum(["sync", "async", "exit"])).describe(
    "when checkpoints are stored: before the next step, beside it (`async`, the default), or only at the end",
  ),
  checkpoint_during: optional(z.boolean()).meta({
    deprecated: true,
    description: "`true` is durability `async`, `false` is `exit`, where `durability` is not given",
  }),
  strict_resume: optional(z.boolean()).describe("an answer to an interrupt that does not wait fails the run"),
  on_disconnect: optional(z.enum(["continue", "cancel"])),
  webhook: optional(z.string().min(1).max(65_536)).describe(
    "an http or https address that gets a POST with the run and its values when it has ended, at least once",
  ),
  feedback_keys: optional(z.array(z.string())).describe("of LangSmith; without effect"),
  langsmith_tracer: optional(JsonObject).describe("of LangSmith; without effect"),
});

export const ThreadRunBody = RunFields.extend({
  checkpoint: optional(Checkpoint),
  checkpoint_id: optional(CheckpointId),
  multitask_strategy: optional(MultitaskStrategy).describe(
    "what becomes of the thread's open runs, delayed ones too: this one starts after those that are due before it " +
      "(`enqueue`), is refused (`reject`), or has them cancelled (`interrupt`) or rolled back with their checkpoints " +
      "(`rollback`)",
  ),
  if_not_exists: optional(z.enum(["reject", "create"])),
}).meta({ id: "ThreadRunCreate" });

const noCheckpoint = optional(z.never("is not possible for a run without a thread")).meta({
  type: "null",
  description: "Only for runs on a thread.",
});

/** The JavaScript SDK's type allows `complete` and `continue` alone, which the platform gives no meaning: not given. */
const OnCompletion = optional(z.enum(["delete", "keep", "complete", "continue"]))
  .transform((given) => (given === "keep" ? given : "delete"))
  .describe("what becomes of the thread: `delete` (default, whatever else is said) or `keep`");

export const StatelessRunBody = RunFields.extend({
  checkpoint: noCheckpoint,
  checkpoint_id: noCheckpoint,
  on_completion: OnCompletion,
}).meta({ id: "StatelessRunCreate" });

export const CreateHeaders = z.object({
  "idempotency-key": Id.optional().describe("becomes the run's id: the same request again gets the same run"),
});

type RunRequest = z.output<typeof RunFields> & Partial<z.output<typeof ThreadRunBody>>;

/** The checkpoint that a run is to begin from, where it is another than the newest. @throws HttpError 422 */
export function beginsFrom(
  body: z.output<typeof ThreadRunBody>,
): (CheckpointName & { checkpoint_id: string }) | undefined {
  const { checkpoint_id: given, checkpoint_ns: ns } = body.config?.configurable ?? {};
  const named = namedCheckpoint(body) ?? {};
  const id = CheckpointId.optional().safeParse(named.checkpoint_id ?? given ?? undefined);
  if (!id.success) throw new HttpError(422, `body.config.configurable.checkpoint_id: ${id.error.issues[0]?.message}`);
  if (id.data === undefined) return undefined;
  return { checkpoint_ns: typeof ns === "string" ? ns : "", ...named, checkpoint_id: id.data };
}

/** Where a run goes, and what tells one request from another. */
export interface RunTarget {
  /** Not given: a thread of its own, which has the run's id. */
  threadId?: string;
  lifetime: Lifetime;
  idempotencyKey: string | undefined;
  /** Path and body of the request. */
  path: string;
  rawBody: unknown;
  /** What the run finds in `configurable` whatever the body says. */
  configurable?: Record<string, string>;
}

/** @throws HttpError 422 when the body is nested too deeply to be stored */
export function toNewRun(request: RunRequest, assistant: Assistant, target: RunTarget): NewRun {
  const { lifetime, path, rawBody } = target;
  const runId = target.idempotencyKey ?? v7();
  const threadId = target.threadId ?? runId;
  const { assistantId, graphId } = assistant;
  const ids = { thread_id: threadId, run_id: runId, assistant_id: assistantId, graph_id: graphId };
  return {
    runId,
    idIsGiven: target.idempotencyKey !== undefined,
    threadId,
    assistantId,
    graphId,
    lifetime,
    strategy: request.multitask_strategy ?? "enqueue",
    ifNotExists: lifetime === "thread" ? (request.if_not_exists ?? "reject") : "create",
    afterMs: Math.round((request.after_seconds ?? 0) * 1_000),
    metadata: { ...request.metadata, graph_id: graphId, assistant_id: assistantId },
    payload: toPayload(request, assistant, { ...ofCaller(target.configurable), ...ids }),
    requestHash: requestHash(path, rawBody),
  };
}

/** @param ours what `configurable` holds whatever others say */
function toPayload(request: RunRequest, assistant: Assistant, ours: Record<string, unknown>): RunPayload {
  return withoutUndefined({
    input: request.input,
    command: request.command,
    config: {
      ...assistant.config,
      ...withoutUndefined(request.config ?? {}),
      configurable: { ...ofCaller({ ...assistant.config.configurable, ...request.config?.configurable }), ...ours },
    },
    context:
      request.context === undefined && isEmpty(assistant.context)
        ? undefined
        : { ...assistant.context, ...request.context },
    stream_mode: [request.stream_mode ?? "values"].flat(),
    stream_subgraphs: request.stream_subgraphs,
    stream_resumable: request.stream_resumable,
    interrupt_before: request.interrupt_before,
    interrupt_after: request.interrupt_after,
    durability: request.durability ?? durabilityOf(request.checkpoint_during),
    strict_resume: request.strict_resume,
    checkpoint: namedCheckpoint(request),
    webhook: request.webhook,
  });
}

function durabilityOf(checkpointDuring: boolean | undefined): RunPayload["durability"] {
  return checkpointDuring === undefined ? undefined : checkpointDuring ? "async" : "exit";
}

/** Keys by which the worker, LangGraph and the auth layer speak to each other are not the caller's to set. */
function ofCaller(configurable: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(configurable).filter(([key]) => !key.startsWith("__") && !key.startsWith("langgraph_auth_")),
  );
}

const isEmpty = (object: object) => Object.keys(object).length === 0;
