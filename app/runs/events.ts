/** Events as Redis holds them: stream entries, and the messages that `lua/include/events.lua` publishes. */
import type { EventId, RunEvent } from "./types.js";

/** The id of the first, internal event, which enqueue writes and no client sees. */
export const ENQUEUED: EventId = "0-1";

/** The last event of every run. */
export const END = "end";

/** Who writes the end of a run that nobody holds. */
const NO_OWNER = "-";

/** Of a message that is about the thread alone. */
export const NO_RUN = "-";

/** What was published: the events between two ids of a run, or only those ids when they are too long to publish. */
export interface EventMessage {
  runId: string;
  /** Nonce of the claim that wrote them; undefined when it was no owner who did. */
  owner: string | undefined;
  previous: EventId;
  last: EventId;
  events: RunEvent[] | undefined;
}

export function parseMessage(message: string): EventMessage {
  const lines = message.split("\n");
  const [runId = "", nonce, previous = "", last = ""] = (lines[0] ?? "").split(" ");
  const owner = nonce === NO_OWNER ? undefined : nonce;
  if (lines.length === 1) return { runId, owner, previous, last, events: undefined };
  const events: RunEvent[] = [];
  for (let line = 1; line + 3 < lines.length; line += 4) {
    const [id = "", threadSeq = "", event = "", data = ""] = lines.slice(line, line + 4);
    events.push({ id, threadSeq: Number(threadSeq), event, data });
  }
  return { runId, owner, previous, last, events };
}

/** @param entry `[id, [field, value, …]]` as XRANGE answers, fields in the order in which the scripts write them */
export function parseEntry([id, fields]: [string, string[]]): RunEvent {
  return { id, event: fields[1] ?? "", threadSeq: Number(fields[3]), data: fields[5] ?? "" };
}

const EVENT_ID = /^(\d{1,15})-(\d{1,15})$/;

export function isEventId(text: string): text is EventId {
  return EVENT_ID.test(text);
}

export function attemptOf(id: EventId): number {
  return Number(id.split("-", 1)[0]);
}

/**
 * Whether nothing can be missing between two ids: within an attempt they count up, and where the next attempt begins the
 * one before it may have ended anywhere. (A stream that was trimmed never begins with the first event of an attempt.)
 */
export function isNext(id: EventId, previous: EventId): boolean {
  const [attempt = 0, seq = 0] = id.split("-").map(Number);
  const [attemptBefore = 0, seqBefore = 0] = previous.split("-").map(Number);
  return attempt === attemptBefore ? seq === seqBefore + 1 : attempt > attemptBefore && seq === 0;
}

/** The id before one that is not the first of its attempt. */
export function idBefore(id: EventId): EventId {
  const [attempt = 0, seq = 0] = id.split("-").map(Number);
  return `${attempt}-${seq - 1}`;
}

/** Order of ids: by attempt, then by seq. Negative when `a` comes before `b`. */
export function compareIds(a: EventId, b: EventId): number {
  const [attemptA = 0, seqA = 0] = a.split("-").map(Number);
  const [attemptB = 0, seqB = 0] = b.split("-").map(Number);
  return attemptA - attemptB || seqA - seqB;
}
