/** Clients as users write them: they ask until they know, and go on where their stream was cut. */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { AskedRun, Cancel, Follower, History } from "./history.js";
import type { Random } from "./random.js";

/** What all clients of a chaos run share. */
export interface Site {
  url: string;
  history: History;
  random: Random;
  /** Then whoever still waits gives up, which is a finding. */
  giveUp: AbortSignal;
}

const ANSWER_MS = 8_000;
const AGAIN_MS = { least: 50, most: 250 };

/** One request, again until its answer is definite. @returns undefined when it was given up */
export async function definite(
  site: Site,
  path: string,
  init: { method: string; headers?: Record<string, string>; body?: string },
  onTry: () => void = () => {},
): Promise<Response | undefined> {
  while (!site.giveUp.aborted) {
    onTry();
    const response = await request(site, path, init);
    if (response && response.status < 500) return response;
    await response?.body?.cancel().catch(() => {});
    await again(site);
  }
  return undefined;
}

/** @returns undefined where the connection was lost before there was an answer */
async function request(site: Site, path: string, init: RequestInit): Promise<Response | undefined> {
  const late = new AbortController();
  // Only until the answer begins: a stream then takes as long as it takes.
  const limit = setTimeout(() => late.abort(), ANSWER_MS);
  try {
    return await fetch(`${site.url}${path}`, { ...init, signal: AbortSignal.any([late.signal, site.giveUp]) });
  } catch {
    return undefined;
  } finally {
    clearTimeout(limit);
  }
}

export async function again({ random }: Site): Promise<void> {
  await delay(random.between(AGAIN_MS.least, AGAIN_MS.most));
}

export interface RunBody {
  assistant_id: string;
  [field: string]: unknown;
}

/** Asks for a run until it is known whether it was accepted; its id is the request's key, so that it is one run. */
export async function askFor(
  site: Site,
  run: AskedRun,
  how: "" | "/stream" | "/wait",
  body: RunBody,
): Promise<Response | undefined> {
  site.history.asked.push(run);
  const response = await definite(
    site,
    run.lifetime === "thread" ? `/threads/${run.threadId}/runs${how}` : `/runs${how}`,
    {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": run.runId },
      body: JSON.stringify({ stream_resumable: true, ...body }),
    },
  );
  if (!response) return undefined;
  run.answeredAt = Date.now();
  run.status = response.status;
  run.answer = response.ok ? "accepted" : "refused";
  return response;
}

export function streamPath(run: Pick<AskedRun, "threadId" | "runId" | "lifetime">): string {
  return run.lifetime === "thread" ? `/threads/${run.threadId}/runs/${run.runId}/stream` : `/runs/${run.runId}/stream`;
}

export function newFollower(site: Site, { runId, threadId }: AskedRun, client: Follower["client"]): Follower {
  const follower: Follower = { runId, threadId, client, connections: 0, seen: [], outcome: "open" };
  site.history.followers.push(follower);
  return follower;
}

/**
 * Reads a run's events to the end, over as many connections as it takes.
 * @param opened the answer of the request that created the run @param cuts leaves in the middle, now and then
 */
export async function follow(
  site: Site,
  run: AskedRun,
  options: { opened?: Response | undefined; cuts?: boolean; follower?: Follower } = {},
): Promise<void> {
  const follower = options.follower ?? newFollower(site, run, "raw");
  let place = follower.seen.findLast(({ id }) => id !== undefined)?.id ?? "-1";
  let opened = options.opened;
  while (!site.giveUp.aborted) {
    const response = opened ?? (await request(site, streamPath(run), { headers: { "last-event-id": place } }));
    opened = undefined;
    if (response?.status === 404) {
      follower.outcome = "gone";
      return;
    }
    if (response?.ok && response.body) {
      follower.connections++;
      const leaveAfter = options.cuts && site.random.chance(0.5) ? site.random.between(1, 6) : Number.POSITIVE_INFINITY;
      place = await read(response.body, follower, place, leaveAfter);
      if (follower.outcome === "end") return;
    } else await response?.body?.cancel().catch(() => {});
    await again(site);
  }
}

/** One connection. @returns the id to go on from */
async function read(
  body: ReadableStream<Uint8Array>,
  follower: Follower,
  from: string,
  leaveAfter: number,
): Promise<string> {
  let place = from;
  let text = "";
  let left = leaveAfter;
  const decoder = new TextDecoder();
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const { id, event, data } = fieldsOf(text.slice(0, end));
        text = text.slice(end + 2);
        if (id !== undefined) place = id;
        if (event === undefined) continue;
        see(follower, { ...(id !== undefined && { id }), event, data });
        if (event === "end") return place;
        if (--left === 0) return place;
      }
    }
  } catch {
    // The connection was cut: what came before counts.
  }
  return place;
}

export function see(follower: Follower, { id, event, data }: { id?: string; event: string; data: string }): void {
  follower.seen.push({ ...(id !== undefined && { id }), event, data: digest(data), at: Date.now() });
  if (event === "end") follower.outcome = "end";
}

function fieldsOf(block: string): { id?: string; event?: string; data: string } {
  const fields: { id?: string; event?: string; data: string } = { data: "" };
  for (const line of block.split("\n")) {
    const [name, value] = [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)];
    if (name === "id" || name === "event" || name === "data") fields[name] = value;
  }
  return fields;
}

export const digest = (data: string) => createHash("sha1").update(data).digest("base64").slice(0, 12);

/** Cancels a run, and watches until a client sees that it has ended. */
export async function cancel(
  site: Site,
  run: AskedRun,
  { action = "interrupt", wait = false }: Partial<Pick<Cancel, "action" | "wait">> = {},
): Promise<void> {
  const record: Cancel = { runId: run.runId, threadId: run.threadId, action, wait, askedAt: Date.now() };
  site.history.cancels.push(record);
  const path = `/threads/${run.threadId}/runs/${run.runId}/cancel?action=${action}&wait=${wait ? 1 : 0}`;
  let tries = 0;
  const response = await definite(site, path, { method: "POST" }, () => tries++);
  record.answeredAt = Date.now();
  // After a first try whose answer was lost a refusal may be of what that one did.
  if (response && (response.ok || tries === 1)) record.status = response.status;
  if (response?.ok) await watchEnd(site, run, record);
}

/** @returns when a client saw the run ended or gone */
export async function watchEnd(site: Site, run: AskedRun, record: { seenEndedAt?: number }): Promise<void> {
  while (!site.giveUp.aborted) {
    const response = await definite(site, `/threads/${run.threadId}/runs/${run.runId}`, { method: "GET" });
    if (!response) return;
    const { status } = (await response.json().catch(() => ({}))) as { status?: string };
    if (response.status === 404 || (status !== "pending" && status !== "running")) {
      record.seenEndedAt = Date.now();
      return;
    }
    await delay(50);
  }
}
