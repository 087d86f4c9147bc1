/** A recorded history without a violation: two runs of a thread, one of which was taken over, and one that was cancelled. */
import { type Audit, emptyHistory, type Follower, type Form, type History, type StoredEvent } from "./history.js";

export const THREAD = "00000000-0000-4000-8000-00000000000a";
export const FIRST = "00000000-0000-4000-8000-000000000001";
export const SECOND = "00000000-0000-4000-8000-000000000002";
export const CANCELLED = "00000000-0000-4000-8000-000000000003";
const T = 1_800_000_000_000;

export interface Recorded {
  history: History;
  audit: Audit;
}

/** ms after the beginning */
export const at = (ms: number) => T + ms;

export function recorded(form: Form = "standalone"): Recorded {
  const history = emptyHistory(form, { leaseMs: 3_000, heartbeatMs: 1_000, maxFailures: 3, slots: 10 });
  Object.assign(history, { begun: T, ended: at(60_000) });
  const streams: Audit["streams"] = {
    [FIRST]: stream([
      ["0-1", "enqueued", 0],
      ["1-0", "metadata", 1],
      ["1-1", "values", 2],
      ["2-0", "metadata", 3],
      ["2-1", "values", 4],
      ["2-2", "end", 5, "success"],
    ]),
    [SECOND]: stream([
      ["0-1", "enqueued", 0],
      ["1-0", "metadata", 6],
      ["1-1", "values", 7],
      ["1-2", "end", 8, "success"],
    ]),
    [CANCELLED]: stream([
      ["0-1", "enqueued", 0],
      ["1-0", "metadata", 9],
      ["1-1", "end", 10, "interrupted"],
    ]),
  };
  const audit: Audit = {
    at: at(70_000),
    runs: {
      [FIRST]: storedRun("1", 0, { attempt: 2, failures: 1, updatedAt: at(5_000) }),
      [SECOND]: storedRun("2", 100, { updatedAt: at(5_500) }),
      [CANCELLED]: storedRun("3", 200, { status: "interrupted", updatedAt: at(6_300) }),
    },
    streams,
    threads: { [THREAD]: { status: "idle", active: "", open: 0 } },
    queues: { "{sw:1}:leases": [] },
    keys: {
      "{sw:1}:swept": -1,
      [`{sw:1}:thread:${THREAD}`]: -1,
      [`{sw:1}:runs:${THREAD}`]: -1,
      [`{sw:1}:run:${FIRST}`]: 600_000,
      [`{sw:1}:events:${FIRST}`]: 60_000,
    },
    checkpoints: {
      [THREAD]: [
        { id: "a", run: FIRST, attempt: 1, owner: "x.1" },
        { id: "b", run: FIRST, attempt: 2, owner: "y.1" },
        { id: "c", run: SECOND, attempt: 1, owner: "y.2" },
      ],
    },
    steps: { [THREAD]: [`${FIRST}:1`, `${FIRST}:2`, `${SECOND}:1`, `${SECOND}:2`] },
  };
  const asked = (runId: string, ms: number) => ({
    ...{ runId, threadId: THREAD, graph: "count" as const, steps: 2, strategy: "enqueue" as const },
    ...{
      lifetime: "thread" as const,
      askedAt: at(ms),
      answeredAt: at(ms + 10),
      answer: "accepted" as const,
      status: 200,
    },
  });
  history.asked.push(asked(FIRST, 0), asked(SECOND, 100), asked(CANCELLED, 200));
  history.followers.push(follower(FIRST, streams), follower(SECOND, streams));
  history.cancels.push({
    ...{ runId: CANCELLED, threadId: THREAD, action: "interrupt", wait: false },
    ...{ askedAt: at(6_000), answeredAt: at(6_010), status: 202, seenEndedAt: at(6_320) },
  });
  history.faults.push({ kind: "kill-worker", target: "worker-1", from: at(1_000), until: at(1_001) });
  history.lives.push({ name: "worker-2", role: "worker", from: T });
  return { history, audit };
}

function stream(rows: [id: string, event: string, number: number, status?: string][]): StoredEvent[] {
  return rows.map(([id, event, number, status]) => ({
    id,
    event,
    number,
    data: `of ${id}`,
    ...(status && { status }),
  }));
}

function storedRun(place: string, ms: number, given: object) {
  return {
    ...{ threadId: THREAD, status: "success", strategy: "enqueue", lifetime: "thread", attempt: 1, failures: 0 },
    ...{ due: at(ms), place: place.padStart(12, "0"), createdAt: at(ms), updatedAt: at(ms + 1_000), ...given },
  };
}

function follower(runId: string, streams: Audit["streams"]): Follower {
  const events = streams[runId] ?? [];
  const seen = events.slice(1).map(({ id, event, data, number }) => ({ id, event, data, at: at(number * 900) }));
  return { runId, threadId: THREAD, client: "raw", connections: 1, seen, outcome: "end" };
}
