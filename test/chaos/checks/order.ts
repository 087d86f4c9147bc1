/** I2, I3, I5: who ran when, read off the numbers of a thread's events, and who stored which checkpoint. */
import { attemptOf, ENQUEUED, isNext } from "../../../app/runs/events.js";
import type { StoredEvent } from "../history.js";
import { type Case, short } from "./case.js";

interface Span {
  runId: string;
  first: number;
  last: number;
}

export function checkOrder(on: Case): void {
  const threads = new Map<string, string[]>();
  for (const runId of Object.keys(on.audit.streams)) {
    const threadId = on.asked.get(runId)?.threadId ?? on.run(runId)?.threadId;
    if (threadId) threads.set(threadId, [...(threads.get(threadId) ?? []), runId]);
    checkIds(on, runId, on.audit.streams[runId] ?? []);
  }
  for (const [threadId, runIds] of threads) {
    checkNumbers(on, threadId, runIds);
    const spans = runIds
      .flatMap((runId) => spanOf(runId, on.audit.streams[runId] ?? []))
      .sort((a, b) => a.first - b.first);
    checkOneAtATime(on, threadId, spans);
    checkStarts(on, threadId, spans);
  }
  for (const [threadId, checkpoints] of Object.entries(on.audit.checkpoints)) checkAuthors(on, threadId, checkpoints);
}

/** Contiguous ids, of attempts that never fall; `end` is the last. */
function checkIds(on: Case, runId: string, stream: StoredEvent[]): void {
  const name = `run ${short(runId)}`;
  if (stream[0] && stream[0].id !== ENQUEUED) on.violate("I3", `${name}: its stream begins with ${stream[0].id}`);
  stream.forEach(({ id, event }, at) => {
    const before = stream[at - 1];
    if (!before) return;
    if (attemptOf(id) < attemptOf(before.id)) on.violate("I3", `${name}: ${id} came after ${before.id}`);
    else if (!isNext(id, before.id)) on.violate("I4", `${name}: between ${before.id} and ${id} events are missing`);
    if (before.event === "end") on.violate("I7", `${name}: ${event} was written after its end`);
  });
}

function checkNumbers(on: Case, threadId: string, runIds: string[]): void {
  const holders = new Map<number, string>();
  for (const runId of runIds)
    for (const { id, number } of on.audit.streams[runId] ?? []) {
      if (id === ENQUEUED) continue;
      const holder = holders.get(number);
      if (holder) on.violate("I4", `thread ${short(threadId)}: ${holder} and ${runId}/${id} have the number ${number}`);
      holders.set(number, `${runId}/${id}`);
    }
}

/** From the first attempt's first event to the last event; of a run that never began, nothing. */
function spanOf(runId: string, stream: StoredEvent[]): Span[] {
  const begun = stream.filter(({ id }) => attemptOf(id) > 0);
  const [first, last] = [begun[0], begun.at(-1)];
  return first && last ? [{ runId, first: first.number, last: last.number }] : [];
}

function checkOneAtATime(on: Case, threadId: string, spans: Span[]): void {
  spans.forEach((span, at) => {
    const before = spans[at - 1];
    if (before && span.first < before.last)
      on.violate(
        "I2",
        `thread ${short(threadId)}: ${short(span.runId)} began at event ${span.first}, before ${short(before.runId)} ended at ${before.last}`,
      );
  });
}

/** By due time, then acceptance; a run that was cancelled before it began starts never, so it is out of the order. */
function checkStarts(on: Case, threadId: string, spans: Span[]): void {
  const started = spans.flatMap(({ runId }) => {
    const run = on.run(runId);
    return run ? [{ runId, ...run }] : [];
  });
  started.forEach((run, at) => {
    const before = started[at - 1];
    if (before && (run.due < before.due || (run.due === before.due && run.place < before.place)))
      on.violate(
        "I5",
        `thread ${short(threadId)}: ${short(before.runId)} (due ${before.due}, place ${before.place}) began before ` +
          `${short(run.runId)} (due ${run.due}, place ${run.place})`,
      );
  });
}

/** In order of arrival no run comes back, and no attempt after a later one; an attempt has one owner. */
function checkAuthors(on: Case, threadId: string, checkpoints: Case["audit"]["checkpoints"][string]): void {
  const left = new Set<string>();
  let current: { run: string; attempt: number; owner: string } | undefined;
  for (const { id, run, attempt = 0, owner = "" } of checkpoints) {
    if (run === undefined) continue;
    const at = `thread ${short(threadId)}, checkpoint ${short(id)}`;
    if (current?.run === run) {
      if (attempt < current.attempt)
        on.violate("I3", `${at}: attempt ${attempt} of ${short(run)} stored it after attempt ${current.attempt}`);
      if (attempt === current.attempt && owner !== current.owner && on.failovers.length === 0)
        on.violate("I2", `${at}: attempt ${attempt} of ${short(run)} had two owners`);
    } else {
      if (left.has(run)) on.violate("I2", `${at}: ${short(run)} stored it after another run had stored one`);
      if (current) left.add(current.run);
    }
    current = { run, attempt, owner };
  }
}
