/** The shapes of the API, as schemas, and how the core's words become them. Names and formats are the platform's. */
import { z } from "zod";
import type { Assistant } from "../data/assistants.js";
import { MOST_METADATA_KEYS } from "../data/threads/terms.js";
import type { ThreadRecord, ThreadTtl } from "../data/threads.js";
import type { Run, RunPayload } from "../runs/types.js";

/** Clients send `null` for what they don't give. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";

/** Any case on the way in; one form inside, because ids become keys. */
export const Id = z
  .guid("must be a uuid")
  .transform((id) => id.toLowerCase())
  .meta({ format: "uuid", pattern: `^${UUID}$` });

export const ThreadPath = z.object({ thread_id: Id });
export const RunPath = ThreadPath.extend({ run_id: Id });

export const JsonObject = z.record(z.string(), z.unknown());

/** What is searched for, with all its keys: a record would leave `__proto__` out, and a filter without it finds everything. */
export const JsonFilter = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "must be an object",
  )
  .refine((value) => !Object.hasOwn(value, "__proto__"), "must not hold the key __proto__")
  // With null, which every optional field takes: a type that is given here is not made so by itself.
  .meta({ type: ["object", "null"], additionalProperties: {} });

const isOfFewKeys = (metadata: object) => Object.keys(metadata).length <= MOST_METADATA_KEYS;
const FEW_KEYS = `must hold at most ${MOST_METADATA_KEYS} keys`;

/** A thread's, or a run's, which may become a thread's: each of its keys may be searched for. */
export const Metadata = JsonObject.refine(isOfFewKeys, FEW_KEYS);
export const MetadataFilter = JsonFilter.refine(isOfFewKeys, FEW_KEYS).meta(JsonFilter.meta() ?? {});

/** Ids are parts of keys. */
export const CheckpointId = z
  .string()
  .regex(/^[^:\s]{1,100}$/, "must be a checkpoint's id: 1 to 100 characters without a colon or white space");

/** Which checkpoint of a thread is meant. */
export const Checkpoint = z.object({
  checkpoint_id: optional(CheckpointId),
  checkpoint_ns: optional(z.string()),
  checkpoint_map: optional(JsonObject),
});

/** The checkpoint that a body names; `checkpoint_id` alone is the older way. */
export function namedCheckpoint({ checkpoint, checkpoint_id }: NamesCheckpoint): CheckpointName | undefined {
  const name: CheckpointName = withoutUndefined({
    ...checkpoint,
    checkpoint_id: checkpoint?.checkpoint_id ?? checkpoint_id,
  });
  return Object.keys(name).length === 0 ? undefined : name;
}

export type CheckpointName = {
  checkpoint_id?: string | undefined;
  checkpoint_ns?: string | undefined;
  checkpoint_map?: Record<string, unknown> | undefined;
};
interface NamesCheckpoint {
  checkpoint?: CheckpointName | undefined;
  checkpoint_id?: string | undefined;
}

/** A flag in a query: SDKs send `0` and `1`, people `true` and `false`. */
export const QueryFlag = z
  .enum(["0", "1", "true", "false"], "must be 0, 1, true or false")
  .transform((value) => value === "1" || value === "true");

/** A whole number in digits: `Number` alone would also take an empty text, `0x10` and `1e3`. */
export const queryCount = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(least).max(most))
    .meta({ type: "integer", minimum: least, maximum: most });

/** Names in a query: repeated (as Python's SDK sends them), separated by commas, or a JSON list (as JavaScript's does). */
export const queryNames = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat().flatMap(namesIn));

/** The same, of these names alone. */
export const queryNamesOf = <const Name extends string>(names: readonly Name[]) =>
  queryNames
    .pipe(z.array(z.enum(names)))
    .optional()
    // An empty one asks for nothing: Python's SDK sends it.
    .meta({ type: "array", items: { type: "string", enum: [...names, ""] } });

function namesIn(text: string): unknown[] {
  if (!text.startsWith("[")) return text.split(",").filter((name) => name !== "");
  try {
    return JSON.parse(text);
  } catch {
    return [text];
  }
}

export const count = (least: number, most: number) => z.int().min(least).max(most);

const Time = z.iso.datetime();

export const STREAM_MODES = [
  "values",
  "updates",
  "messages",
  "messages-tuple",
  "events",
  "debug",
  "tasks",
  "checkpoints",
  "custom",
  "tools",
] as const;
export const StreamMode = z.enum(STREAM_MODES);

export const RunStatus = z.enum(["pending", "running", "success", "error", "timeout", "interrupted"]);

export const MultitaskStrategy = z.enum(["enqueue", "reject", "interrupt", "rollback"]);

export const CancelAction = z.enum(["interrupt", "rollback"]);

export const Refusal = z.object({ detail: z.string() }).meta({ id: "Refusal" });

export const AssistantShape = z
  .object({
    assistant_id: z.guid(),
    graph_id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    config: JsonObject,
    context: JsonObject,
    metadata: JsonObject,
    version: z.int(),
    created_at: Time,
    updated_at: Time,
  })
  .meta({ id: "Assistant" });

export const TtlStrategy = z.enum(["delete", "keep_latest"]);

export const MOST_TTL_MINUTES = 10 * 365 * 24 * 60;

export const TtlMinutes = z.number().gt(0, "must be more than 0").max(MOST_TTL_MINUTES);

export const Ttl = z
  .object({
    ttl: TtlMinutes.describe("minutes, fractions allowed"),
    strategy: optional(TtlStrategy).describe("`delete` unless given; `keep_latest` keeps the newest checkpoints alone"),
  })
  .transform(({ ttl, strategy = "delete" }): ThreadTtl => ({ strategy, ms: Math.ceil(ttl * 60_000) }))
  .describe("what happens to the thread when nothing has happened on it for so long");

export const ThreadShape = z
  .object({
    thread_id: z.guid(),
    created_at: Time,
    updated_at: Time,
    state_updated_at: Time,
    metadata: JsonObject,
    config: JsonObject,
    status: z.enum(["idle", "busy", "interrupted", "error"]),
    values: z.unknown().describe("the state as of the last run, or null"),
    interrupts: JsonObject.describe("task id → its open interrupts"),
    ttl: z
      .object({
        strategy: TtlStrategy,
        ttl_minutes: z.number(),
        expires_at: Time.nullable().describe("null while a run is open"),
      })
      .optional()
      .describe("with `include=ttl`, of a thread that expires: after so long without activity"),
    extracted: JsonObject.optional().describe("with `extract` of a search: what each path leads to, or null"),
  })
  .meta({ id: "Thread" });

export const RunShape = z
  .object({
    run_id: z.guid(),
    thread_id: z.guid(),
    assistant_id: z.guid(),
    created_at: Time,
    updated_at: Time,
    status: RunStatus,
    metadata: JsonObject,
    kwargs: JsonObject,
    multitask_strategy: MultitaskStrategy,
  })
  .meta({ id: "Run" });

export const ThreadStateShape = z
  .object({
    values: z.unknown(),
    next: z.array(z.string()),
    tasks: z.array(JsonObject),
    checkpoint: JsonObject.nullable().describe("null before the first checkpoint"),
    metadata: JsonObject,
    created_at: z.string().nullable(),
    parent_checkpoint: JsonObject.nullable(),
    interrupts: z.array(JsonObject),
  })
  .meta({ id: "ThreadState" });

export function toAssistantShape(assistant: Assistant): z.infer<typeof AssistantShape> {
  return {
    assistant_id: assistant.assistantId,
    graph_id: assistant.graphId,
    name: assistant.name,
    description: assistant.description,
    config: assistant.config,
    context: assistant.context,
    metadata: assistant.metadata,
    version: assistant.version,
    created_at: assistant.createdAt.toISOString(),
    updated_at: assistant.updatedAt.toISOString(),
  };
}

export function toThreadShape(thread: ThreadRecord): z.infer<typeof ThreadShape> {
  return {
    thread_id: thread.threadId,
    created_at: thread.createdAt.toISOString(),
    updated_at: thread.updatedAt.toISOString(),
    state_updated_at: (thread.stateUpdatedAt ?? thread.createdAt).toISOString(),
    metadata: thread.metadata,
    config: thread.config,
    status: thread.status,
    values: JSON.parse(thread.valuesJson),
    interrupts: JSON.parse(thread.interruptsJson),
  };
}

/** As `include=ttl` shows it: while a run is open the time does not run. */
export function toTtlShape({ ttl, updatedAt, status }: ThreadRecord): Pick<z.infer<typeof ThreadShape>, "ttl"> {
  if (!ttl) return {};
  const expiresAt = status === "busy" ? null : new Date(updatedAt.getTime() + ttl.ms).toISOString();
  return { ttl: { strategy: ttl.strategy, ttl_minutes: ttl.ms / 60_000, expires_at: expiresAt } };
}

export function toRunShape(run: Run): z.infer<typeof RunShape> {
  return {
    run_id: run.runId,
    thread_id: run.threadId,
    assistant_id: run.assistantId,
    created_at: run.createdAt.toISOString(),
    updated_at: run.updatedAt.toISOString(),
    status: run.status,
    metadata: run.metadata,
    kwargs: toKwargs(run.payload),
    multitask_strategy: run.strategy,
  };
}

function toKwargs({ stream_subgraphs, stream_resumable, ...payload }: RunPayload): Record<string, unknown> {
  return { ...payload, subgraphs: stream_subgraphs ?? false, resumable: stream_resumable ?? false };
}

export function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
