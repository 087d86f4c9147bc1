/** I4: what each client saw, against what each other client saw and what the stream holds. */
import { compareIds, isNext } from "../../../app/runs/events.js";
import type { Follower, Seen, StoredEvent } from "../history.js";
import { type Case, short } from "./case.js";

/** @returns how many events were compared */
export function checkFollowers(on: Case): number {
  let events = 0;
  for (const follower of on.history.followers) {
    events += follower.seen.length;
    checkFollower(on, follower);
  }
  return events;
}

function checkFollower(on: Case, follower: Follower): void {
  const { runId, seen, outcome } = follower;
  const name = `a client of run ${short(runId)}`;
  const stream = on.audit.streams[runId];
  const violate = (at: number, text: string) => on.lostOrViolated(on.windowOfTime(at), "I4", `${name} ${text}`);
  if (outcome === "open") {
    const answer = on.asked.get(runId)?.answer;
    if (answer === "accepted") on.violate("I4", `${name} waited for its end in vain`);
    return;
  }
  checkSequence(on, follower, violate);
  const last = seen.at(-1);
  if (outcome === "end" && last?.event !== "end") on.violate("I4", `${name} saw ${last?.event ?? "nothing"} last`);
  if (outcome === "gone" && on.run(runId)) on.violate("I4", `${name} was told that it does not exist`);
  if (!stream) return;
  const stored = new Map(stream.map((event) => [event.id, event]));
  for (const event of seen) if (event.id !== undefined) checkEvent(event, stored, violate);
  if (outcome === "end") checkAll(on, follower, stream, violate);
}

type Violate = (at: number, text: string) => void;

/** Each id follows on the one before. A client that lost its place is told so: by metadata without an id, then the state. */
function checkSequence(on: Case, { seen }: Follower, violate: Violate): void {
  let before: Seen | undefined;
  let placeLost = false;
  for (const event of seen) {
    if (event.id === undefined) {
      placeLost = true;
      const failover = on.failovers.findLast(({ from }) => from <= event.at);
      if (!failover && event.event !== "end") violate(event.at, "lost its place, without a failover");
      continue;
    }
    if (before?.id !== undefined && !placeLost && !isNext(event.id, before.id)) {
      const repeated = compareIds(event.id, before.id) <= 0;
      violate(event.at, `saw ${event.id} ${event.event} after ${before.id}: ${repeated ? "repeated" : "a gap"}`);
    }
    if (before?.event === "end") violate(event.at, `saw ${event.event} after the end`);
    before = event;
    placeLost = false;
  }
}

function checkEvent(event: Seen, stored: Map<string, StoredEvent>, violate: Violate): void {
  const held = stored.get(event.id ?? "");
  if (!held) {
    violate(event.at, `saw ${event.id} ${event.event}, which is not in the stream`);
    return;
  }
  // Streams tell of the end no more than that it came.
  if (held.event === "end" && event.event === "end") return;
  if (held.event !== event.event || held.data !== event.data)
    violate(event.at, `saw as ${event.id} another ${event.event} than the stream's ${held.event}`);
}

function checkAll(on: Case, { runId, seen }: Follower, stream: StoredEvent[], violate: Violate): void {
  const has = new Set(seen.map(({ id }) => id));
  if (seen.some(({ id }) => id === undefined)) return;
  const missed = stream.slice(1).filter(({ id }) => !has.has(id));
  if (missed.length === 0) return;
  const at = seen.at(-1)?.at ?? on.history.ended;
  violate(at, `missed ${missed.map(({ id }) => id).join(", ")} of run ${short(runId)}`);
}
