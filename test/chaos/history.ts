/** What is recorded while faults happen, and what Redis holds once all is quiet: all that the checker knows. */
import { appendFileSync } from "node:fs";

export type Form = "standalone" | "failover" | "cluster";

/** Times are ms since 1970, of this machine's clock, which is also Redis's. */
export type Time = number;

export interface AskedRun {
  runId: string;
  threadId: string;
  graph: "count" | "ask" | "throws";
  /** How many steps it adds to its thread's state when it comes to its end. */
  steps: number;
  strategy: "enqueue" | "reject" | "interrupt" | "rollback";
  lifetime: "thread" | "keep" | "delete";
  askedAt: Time;
  answeredAt?: Time;
  /** `unknown`: no attempt to ask got a definite answer. */
  answer: "accepted" | "refused" | "unknown";
  status?: number;
  /** The steps of this run in what wait answered. */
  told?: string[];
}

/** Of a cancel, or of one run in a cancel of many. */
export interface Cancel {
  runId: string;
  threadId: string;
  action: "interrupt" | "rollback";
  wait: boolean;
  askedAt: Time;
  answeredAt?: Time;
  status?: number;
  /** When a client first saw it terminal or gone. */
  seenEndedAt?: Time;
}

export interface Deletion {
  threadId: string;
  askedAt: Time;
  answeredAt?: Time;
  status?: number;
}

export interface Seen {
  /** Not there: it tells a client whose place is gone the attempt. */
  id?: string;
  event: string;
  /** A digest. */
  data: string;
  at: Time;
}

/** One client of a run's events, over all its connections. */
export interface Follower {
  runId: string;
  threadId: string;
  client: "raw" | "sdk";
  connections: number;
  seen: Seen[];
  /** `end`: it saw the end; `gone`: it was told 404; `open`: neither, until it was given up. */
  outcome: "end" | "gone" | "open";
}

export interface Fault {
  kind: string;
  target: string;
  from: Time;
  until: Time;
}

/** One look at a partition, in one step. */
export interface Sample {
  at: Time;
  partition: number;
  /** Runs that are claimable, with their attempts so far. */
  ready: [runId: string, attempt: number][];
  leased: number;
  /** Runs that are in no queue, in two, or in one that their status denies. */
  misplaced: string[];
}

export interface Unconfirmed {
  at: Time;
  runs: string[];
}

export interface Life {
  name: string;
  role: "server" | "worker";
  from: Time;
  until?: Time;
}

export interface History {
  form: Form;
  leaseMs: number;
  heartbeatMs: number;
  maxFailures: number;
  slots: number;
  begun: Time;
  ended: Time;
  asked: AskedRun[];
  cancels: Cancel[];
  deletions: Deletion[];
  followers: Follower[];
  faults: Fault[];
  samples: Sample[];
  unconfirmed: Unconfirmed[];
  lives: Life[];
}

export interface StoredRun {
  threadId: string;
  status: string;
  strategy: string;
  lifetime: string;
  attempt: number;
  failures: number;
  due: Time;
  /** Order of acceptance in its thread. */
  place: string;
  createdAt: Time;
  updatedAt: Time;
  error?: string;
}

export interface StoredEvent {
  id: string;
  event: string;
  /** In the thread, over all its runs. */
  number: number;
  /** A digest. */
  data: string;
  /** Of `end`: the run's terminal status. */
  status?: string;
}

export interface StoredCheckpoint {
  id: string;
  run?: string;
  attempt?: number;
  owner?: string;
}

/** Redis after the last fault, once nothing is open any more. */
export interface Audit {
  at: Time;
  runs: Record<string, StoredRun>;
  streams: Record<string, StoredEvent[]>;
  threads: Record<string, { status: string; active: string; open: number }>;
  /** Members of every queue: leases, ready, delayed, waiting, cancels, removals. */
  queues: Record<string, string[]>;
  /** Every key with its remaining ms, -1 for ever. */
  keys: Record<string, number>;
  /** Of the root graph, a thread each, in order of arrival. */
  checkpoints: Record<string, StoredCheckpoint[]>;
  /** What the API answers as a thread's `steps`. */
  steps: Record<string, string[]>;
}

export const emptyHistory = (
  form: Form,
  settings: Pick<History, "leaseMs" | "heartbeatMs" | "maxFailures" | "slots">,
) =>
  ({
    ...settings,
    form,
    begun: Date.now(),
    ended: Date.now(),
    asked: [],
    cancels: [],
    deletions: [],
    followers: [],
    faults: [],
    samples: [],
    unconfirmed: [],
    lives: [],
  }) as History;

/** One JSON text a line: a kind, then what was recorded. */
export function writeHistory(file: string, history: History, audit: Audit): void {
  const { asked, cancels, deletions, followers, faults, samples, unconfirmed, lives, ...settings } = history;
  const line = (kind: string, value: object) => appendFileSync(file, `${JSON.stringify({ record: kind, ...value })}\n`);
  line("settings", settings);
  for (const [kind, records] of Object.entries({
    asked,
    cancels,
    deletions,
    followers,
    faults,
    samples,
    unconfirmed,
    lives,
  }))
    for (const record of records) line(kind, record);
  line("audit", audit);
}
