/** Events as Redis holds them: stream entries, and the messages that `lua/include/events.lua` publishes. */
import type { EventId, RunEvent } from "./types.js";

/** The id of the first, internal event, which enqueue writes and no client sees. */
export const ENQUEUED: EventId = "0-1";

/** The last event of every run. */
export const END = "end";

/** What was published: the events between two ids of a run, or only those ids when they are too long to publish. */
export interface EventMessage {
  runId: string;
  previous: EventId;
  last: EventId;
  events: RunEvent[] | undefined;
}

export function parseMessage(message: string): EventMessage {
  const lines = message.split("\n");
  const [runId = "", _owner, previous = "", last = ""] = (lines[0] ?? "").split(" ");
  if (lines.length === 1) return { runId, previous, last, events: undefined };
  const events: RunEvent[] = [];
  for (let line = 1; line + 3 < lines.length; line += 4) {
    const [id = "", threadSeq = "", event = "", data = ""] = lines.slice(line, line + 4);
    events.push({ id, threadSeq: Number(threadSeq), event, data });
  }
  return { runId, previous, last, events };
}

/** @param entry `[id, [field, value, …]]` as XRANGE answers, fields in the order in which the scripts write them */
export function parseEntry([id, fields]: [string, string[]]): RunEvent {
  return { id, event: fields[1] ?? "", threadSeq: Number(fields[3]), data: fields[5] ?? "" };
}

const EVENT_ID = /^(\d{1,15})-(\d{1,15})$/;

export function isEventId(text: string): text is EventId {
  return EVENT_ID.test(text);
}

/** Order of ids: by attempt, then by seq. Negative when `a` comes before `b`. */
export function compareIds(a: EventId, b: EventId): number {
  const [attemptA = 0, seqA = 0] = a.split("-").map(Number);
  const [attemptB = 0, seqB = 0] = b.split("-").map(Number);
  return attemptA - attemptB || seqA - seqB;
}
