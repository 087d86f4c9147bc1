/**
 * Server-sent events: how a run's events look on the wire, which of them a client asked for, and where it resumes.
 * The framing is that of the HTML standard ("Server-sent events"), the names those of the platform's run streams.
 */
import type { Request } from "express";
import { z } from "zod";
import { END, ENQUEUED, isEventId } from "../runs/events.js";
import type { FollowFrom } from "../runs/follow.js";
import type { RunEvent } from "../runs/types.js";
import type { STREAM_MODES } from "./shapes.js";

export const SSE_HEADERS = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store",
  "X-Accel-Buffering": "no",
};

/**
 * A comment line. No blank line follows: to decoders that don't reset the last id (SDKs of 2025), that would be another
 * event, without a name.
 */
export const SSE_HEARTBEAT = ": heartbeat\n";

/**
 * Tells the client of a new run the id before its first event. A client that is cut while its run waits then resumes
 * from there; without an id it would join a run that is not resumable at its present, and miss what came meanwhile.
 */
export const SSE_BEFORE_FIRST = idAlone(ENQUEUED);

/** A place in a stream, without an event. */
export function idAlone(id: string): string {
  return `id: ${id}\n\n`;
}

/** Which events a client wants, by their names. */
export type Wanted = (event: string) => boolean;

export const wantsAll: Wanted = () => true;

/** @param modes stream modes; events of subgraphs (`values|agent:1`) belong to the mode before the bar */
export function wantsModes(modes: readonly StreamModeName[]): Wanted {
  const wanted = new Set<string>(modes);
  return (event) => {
    const name = event.split("|", 1)[0] ?? "";
    return name === "metadata" || name === "error" || name === END || wanted.has(modeOf(name));
  };
}

function modeOf(event: string): string {
  if (event === "messages") return "messages-tuple";
  return event.startsWith("messages/") ? "messages" : event;
}

/**
 * The wanted events as one text, and those of a resync: a client that is not told the state goes on with a gap. What the
 * `end` event holds is for wait and join; streams say `null`.
 */
export function frame(events: readonly RunEvent[], wanted: Wanted): string {
  let text = "";
  for (const { id, event, data, resync } of events) {
    if (!resync && !wanted(event)) continue;
    text += frameOf(event, event === END ? "null" : data, id);
  }
  return text;
}

/** @param data JSON @param id none where it is empty */
export function frameOf(event: string, data: string, id: string): string {
  const place = id === "" ? "" : `id: ${oneLine(id)}\n`;
  return `event: ${oneLine(event)}\ndata: ${data}\n${place}\n`;
}

const oneLine = (text: string) => text.replace(/[\r\n]/g, "");

type StreamModeName = (typeof STREAM_MODES)[number];

/** The query of a request with its question mark, or nothing: whoever goes on elsewhere asks for the same. */
export const searchOf = ({ originalUrl }: Request): string => /\?.*$/.exec(originalUrl)?.[0] ?? "";

export const LastEventId = z
  .string()
  .refine((id) => id === "" || id === "-1" || isEventId(id), "must be -1 or an id of this stream, such as 1-7")
  .optional()
  .meta({ pattern: "^(-1|[0-9]{1,15}-[0-9]{1,15})?$" });

/** Where a join begins; see contract, "Streams". @param resumable what the run's creator asked for */
export function joinsFrom(lastEventId: string | undefined, resumable: boolean): FollowFrom {
  if (!lastEventId) return resumable ? "start" : "now";
  return lastEventId === "-1" ? "start" : { after: lastEventId };
}
