/**
 * The words of the coordination core.
 *
 * A run is in exactly one of five states: *delayed* (its time has not come), *waiting* (behind an earlier run of its
 * thread), *ready* (claimable: only the head of a thread), *leased* (a worker runs it) and *terminal*. Clients see the
 * first three as `pending`, the fourth as `running`.
 */

export type RunStatus = "pending" | "running" | "success" | "error" | "timeout" | "interrupted";
export type ThreadStatus = "idle" | "busy" | "interrupted" | "error";
export type TerminalStatus = "success" | "error" | "interrupted";

/**
 * What happens when a run's thread is busy: it waits, it is refused, or it waits for the open runs to be cancelled
 * (`interrupt`) or rolled back with all that they stored (`rollback`).
 */
export type MultitaskStrategy = "enqueue" | "reject" | "interrupt" | "rollback";

/** What a cancel does: the run ends and its checkpoints stay, or both go. */
export type CancelAction = "interrupt" | "rollback";

/** What a stateless run leaves behind: nothing, or its thread. `thread` is a run on a thread of the caller's. */
export type Lifetime = "thread" | "keep" | "delete";

/** `<attempt>-<seq>`: the id of an event in a run's stream and on the wire. */
export type EventId = string;

/** One event of a run, as stored and as published. */
export interface RunEvent {
  id: EventId;
  /** Durable, monotonic over all runs of the thread. */
  threadSeq: number;
  /** The SSE event name, such as `values` or `messages|agent:1`. `end` is the last one. */
  event: string;
  /** JSON, passed on as it is. Of `end`: what wait and join answer. */
  data: string;
  /** Tells where the run is to a client whose place in the stream is gone: sent whatever it asked for. */
  resync?: true;
}

/** Of a command's `goto`: a node, or a node with an input of its own. */
export type Destination = string | { node: string; input?: unknown };

/** The part of a request's `config` that reaches a graph. */
export interface RunOptions {
  configurable?: Record<string, unknown> | undefined;
  metadata?: Record<string, unknown> | undefined;
  tags?: string[] | undefined;
  recursion_limit?: number | undefined;
  max_concurrency?: number | undefined;
}

/** What a worker executes; resolved by the server from the assistant and the request, stored as one JSON text. */
export interface RunPayload {
  input?: unknown;
  command?: {
    resume?: unknown;
    update?: Record<string, unknown> | [string, unknown][];
    goto?: Destination | Destination[];
  };
  config?: RunOptions;
  context?: unknown;
  stream_mode: string[];
  stream_subgraphs?: boolean;
  stream_resumable?: boolean;
  interrupt_before?: "*" | string[];
  interrupt_after?: "*" | string[];
  durability?: "sync" | "async" | "exit";
  /** An answer to an interrupt that does not wait fails the run. */
  strict_resume?: boolean;
  checkpoint?: { checkpoint_id?: string; checkpoint_ns?: string; [key: string]: unknown };
  /** Where the run is told when it has ended. */
  webhook?: string;
}

export interface NewRun {
  runId: string;
  /** The id is the caller's (Idempotency-Key): it must not have named another request, on any thread. */
  idIsGiven: boolean;
  threadId: string;
  assistantId: string;
  graphId: string;
  lifetime: Lifetime;
  strategy: MultitaskStrategy;
  /** What to do when the thread does not exist. Runs with a thread of their own always create it. */
  ifNotExists: "create" | "reject";
  /** Earliest start, ms from acceptance. */
  afterMs: number;
  metadata: Record<string, unknown>;
  payload: RunPayload;
  /** Hash of the request, compared when the same run id comes again (Idempotency-Key). */
  requestHash: string;
}

export interface Run {
  runId: string;
  threadId: string;
  assistantId: string;
  graphId: string;
  status: RunStatus;
  strategy: MultitaskStrategy;
  metadata: Record<string, unknown>;
  payload: RunPayload;
  attempt: number;
  createdAt: Date;
  updatedAt: Date;
}

/** A refusal of the core that a handler turns into a status. */
export class RunRefused extends Error {
  override name = "RunRefused";

  constructor(
    readonly reason:
      | "thread_missing"
      | "thread_busy"
      | "thread_deleting"
      | "run_missing"
      | "run_ended"
      | "id_reused"
      | "id_taken"
      | "webhook_refused"
      | "copied_too_often",
    message: string,
  ) {
    super(message);
  }
}

/**
 * Something of a thread that goes in more steps than one script should take; `lua/include/removal.lua` says how it is
 * fenced meanwhile.
 */
export interface Removal {
  threadId: string;
  /**
   * A run's id: its checkpoints; `keep_latest`: all but the newest checkpoints; `unread`: what was there for the copies
   * of a history, by the history's name; undefined: the whole thread.
   */
  what: string | undefined;
}

/** Who knows what there is to remove. Any process may begin a removal again, or go on with another's. */
export interface RemovalSteps {
  /** Resolves when nothing is left. */
  remove(removal: Removal): Promise<void>;
  /** Begins and ends the removal of a thread's ttl, if it is due. */
  expire(threadId: string): Promise<void>;
}

/** A run in the hands of a worker. `owner` is the nonce that fences every write of this claim. */
export interface ClaimedRun {
  runId: string;
  threadId: string;
  assistantId: string;
  graphId: string;
  lifetime: Lifetime;
  attempt: number;
  owner: string;
  /** Since the run's first claim, by Redis's clock. */
  runningMs: number;
  metadata: Record<string, unknown>;
  payload: RunPayload;
}

/** The identity under which an attempt writes; every fenced script takes it. */
export interface Fence {
  threadId: string;
  runId: string;
  owner: string;
}
