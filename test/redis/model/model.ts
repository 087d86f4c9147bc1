/**
 * What the scripts should do, in memory: the states of a run and the moves between them, without Redis.
 *
 *   delayed ──▶ waiting ──▶ ready ──▶ leased ──▶ terminal;   any ──▶ gone (rolled back, or deleted with its thread)
 *
 * A run has one `where`, from which every queue is derived: so comparing queues is comparing the partition (I8).
 */
export type Where = "delayed" | "waiting" | "ready" | "leased" | "terminal" | "gone";
export type Lifetime = "thread" | "keep" | "delete";
export type Strategy = "enqueue" | "reject" | "interrupt" | "rollback";

export const LEASE_MS = 300;
export const SWEEP_MS = 100;
export const GRACE_MS = 70;
export const MAX_FAILURES = 3;

export interface RunState {
  id: string;
  thread: string;
  graph: string;
  lifetime: Lifetime;
  hash: string;
  due: number;
  place: number;
  where: Where;
  status: string;
  attempt: number;
  failures: number;
  owner: string;
  endedBy: string;
  cancel: string;
  leaseUntil: number;
  overruleAt: number | undefined;
  /** `<id> <name>` each; none once the run was deleted. */
  events: string[];
}

export interface ThreadState {
  lifetime: Lifetime;
  active: string;
  open: number;
  settled: string;
  accepted: number;
  seq: number;
  stale: boolean;
}

/** A claim that a worker was told of: what it may still send, long after it lost the run too. */
export interface Attempt {
  run: string;
  thread: string;
  owner: string;
  attempt: number;
  nextSeq: number;
}

const byDue = (a: RunState, b: RunState) => a.due - b.due || a.place - b.place;
const byId = (a: RunState, b: RunState) => (a.id < b.id ? -1 : 1);

export class Model {
  now = 1_000_000;
  swept: number | undefined;
  claims = 0;
  checkpointsMade = 0;
  readonly threads = new Map<string, ThreadState>();
  readonly runs = new Map<string, RunState>();
  readonly attempts: Attempt[] = [];
  /** Claims whose answer got lost on the way: their worker asks again. */
  readonly lostClaims: { owner: string; limit: number; graphs: string[] }[] = [];
  /** `<thread>` that is being deleted, `<thread>:<run>` whose checkpoints go. */
  readonly removals = new Set<string>();
  /** By thread, oldest first. */
  readonly checkpoints = new Map<string, { id: string; run: string }[]>();

  thread(id: string): ThreadState {
    const thread = this.threads.get(id);
    if (!thread) throw new Error(`the model has no thread ${id}`);
    return thread;
  }

  in(where: Where, of: (run: RunState) => boolean = () => true): RunState[] {
    return [...this.runs.values()].filter((run) => run.where === where && of(run));
  }

  waiting(thread: string): RunState[] {
    return this.in("waiting", (run) => run.thread === thread).sort(byDue);
  }

  ready(graph: string): RunState[] {
    return this.in("ready", (run) => run.graph === graph).sort((a, b) => a.due - b.due || byId(a, b));
  }

  leased(): RunState[] {
    return this.in("leased").sort((a, b) => a.leaseUntil - b.leaseUntil || byId(a, b));
  }

  /** The open runs of a thread, in the order in which a strategy ends them: the active one last. */
  openRuns(thread: string): RunState[] {
    const delayed = this.in("delayed", (run) => run.thread === thread).sort((a, b) => b.place - a.place);
    const active = this.runs.get(this.thread(thread).active);
    const head = active && (active.where === "ready" || active.where === "leased") ? [active] : [];
    return [...delayed, ...this.waiting(thread), ...head];
  }

  createThread(id: string, lifetime: Lifetime = "thread"): void {
    const empty = { active: "", open: 0, settled: "idle", accepted: 0, seq: 0, stale: false };
    this.threads.set(id, { lifetime, ...empty });
  }

  lineUp(run: RunState): void {
    const thread = this.threads.get(run.thread);
    if (thread?.active === "") {
      thread.active = run.id;
      run.where = "ready";
    } else {
      run.where = "waiting";
    }
  }

  promoteDue(): void {
    for (const run of this.in("delayed", ({ due }) => due <= this.now).sort(byDue)) this.lineUp(run);
  }

  promoteNext(id: string): void {
    this.promoteDue();
    const [first] = this.waiting(id);
    this.thread(id).active = first?.id ?? "";
    if (first) first.where = "ready";
  }

  append(run: RunState, names: string[], attempt?: { number: number; seq: number }): void {
    const last = lastOf(run);
    const next = attempt ?? { number: last.attempt, seq: last.seq + 1 };
    names.forEach((name, index) => {
      run.events.push(`${next.number}-${next.seq + index} ${name}`);
    });
    const thread = this.threads.get(run.thread);
    if (thread) thread.seq += names.length;
  }

  end(
    run: RunState,
    status: string,
    more: { events?: string[]; by?: string; threadStatus?: string; told?: boolean } = {},
  ): void {
    this.append(run, [...(more.events ?? []), "end"]);
    Object.assign(run, { where: "terminal", status, owner: "", endedBy: more.by ?? "", overruleAt: undefined });
    if (run.lifetime === "delete") {
      run.where = "gone";
      this.threads.delete(run.thread);
      return;
    }
    const thread = this.thread(run.thread);
    if (more.threadStatus) thread.settled = more.threadStatus;
    if (more.told) thread.stale = false;
    else if (run.attempt > 0 && !more.by) thread.stale = true;
    if (thread.active === run.id) this.promoteNext(run.thread);
    thread.open -= 1;
  }

  endCancelled(run: RunState): void {
    this.end(run, "interrupted", run.attempt > 0 ? { threadStatus: "interrupted" } : {});
  }

  cancel(run: RunState): "ended" | "requested" {
    if (run.where !== "leased") {
      this.endCancelled(run);
      return "ended";
    }
    run.cancel = "interrupt";
    run.overruleAt ??= this.now + GRACE_MS;
    return "requested";
  }

  /** Whether checkpoints are to be removed. */
  rollBack(run: RunState): boolean {
    this.append(run, ["end"]);
    Object.assign(run, { where: "gone", status: "interrupted", owner: "", endedBy: "", overruleAt: undefined });
    if (run.lifetime === "delete") {
      this.threads.delete(run.thread);
      return false;
    }
    const thread = this.thread(run.thread);
    thread.open -= 1;
    if (run.attempt > 0) this.beginRemoval(run);
    else if (thread.active === run.id) this.promoteNext(run.thread);
    return run.attempt > 0;
  }

  beginRemoval(run: RunState): void {
    this.thread(run.thread).active = run.id;
    this.removals.add(`${run.thread}:${run.id}`);
  }

  toReady(run: RunState): void {
    Object.assign(run, { where: "ready", status: "pending", owner: "" });
  }

  fenced({ run: id, thread, owner }: Attempt): boolean {
    const run = this.runs.get(id);
    return run?.where !== "leased" || run.owner !== owner || this.threads.get(thread)?.active !== id;
  }

  status(thread: ThreadState): string {
    return thread.open > 0 || thread.active !== "" ? "busy" : thread.settled;
  }
}

export function lastOf(run: RunState): { attempt: number; seq: number } {
  const [id = ""] = run.events.at(-1)?.split(" ") ?? [];
  const [attempt = 0, seq = 0] = id.split("-").map(Number);
  return { attempt, seq };
}
