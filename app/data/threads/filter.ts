/** What a search for threads asks for, and whether a thread is what was asked for. */
import type { ThreadStatus } from "../../runs/types.js";
import type { ThreadRecord } from "../threads.js";
import { isScalar, termOf } from "./terms.js";

/** All that is given must match. */
export interface ThreadFilter {
  ids?: readonly string[] | undefined;
  status?: ThreadStatus | undefined;
  /** Contained in the thread's: see `contains`. */
  metadata?: Record<string, unknown> | undefined;
  values?: Record<string, unknown> | undefined;
}

export const THREAD_SORT_KEYS = ["thread_id", "status", "created_at", "updated_at", "state_updated_at"] as const;

export interface ThreadPage {
  sortBy: (typeof THREAD_SORT_KEYS)[number];
  sortOrder: "asc" | "desc";
  offset: number;
  limit: number;
}

/** A refusal that a handler turns into a status. */
export class ThreadRefused extends Error {
  override name = "ThreadRefused";

  constructor(
    readonly reason: "too_much" | "busy",
    message: string,
  ) {
    super(message);
  }
}

/** The sets of the index that hold what the filter asks for, as far as they can say it. */
export function setsOf({ status, metadata = {} }: ThreadFilter): string[] {
  const terms = Object.entries(metadata).flatMap(([name, value]) => (isScalar(value) ? [termOf(name, value)] : []));
  return [...(status === undefined ? [] : [`status:${status}`]), ...terms.map((term) => `with:${term}`)];
}

/** Whether the sets say all of it. */
export function isIndexed({ metadata = {}, values = {} }: ThreadFilter): boolean {
  return Object.keys(values).length === 0 && Object.values(metadata).every(isScalar);
}

export function matches(thread: ThreadRecord, { status, metadata = {}, values = {} }: ThreadFilter): boolean {
  return (
    (status === undefined || thread.status === status) &&
    contains(thread.metadata, metadata) &&
    (Object.keys(values).length === 0 || contains(JSON.parse(thread.valuesJson), values))
  );
}

/**
 * As Postgres has it for JSON (`@>`), which the platform asks: an object holds another when it has all its keys with
 * values that hold the other's, a list when each element of the other is held by one of its own.
 */
export function contains(held: unknown, wanted: unknown): boolean {
  if (isScalar(wanted)) return held === wanted;
  if (Array.isArray(wanted))
    return Array.isArray(held) && wanted.every((each) => held.some((element) => contains(element, each)));
  if (!isObject(held) || !isObject(wanted)) return false;
  return Object.entries(wanted).every(([name, value]) => Object.hasOwn(held, name) && contains(held[name], value));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Places of threads in an order, as the index has them; among equal ones the id decides. */
export function compareThreads({ sortBy, sortOrder }: ThreadPage): (a: ThreadRecord, b: ThreadRecord) => number {
  const statuses: ThreadStatus[] = ["busy", "error", "idle", "interrupted"];
  const places: Record<ThreadPage["sortBy"], (thread: ThreadRecord) => number[]> = {
    thread_id: () => [],
    status: ({ status, updatedAt }) => [statuses.indexOf(status), updatedAt.getTime()],
    created_at: ({ createdAt }) => [createdAt.getTime()],
    updated_at: ({ updatedAt }) => [updatedAt.getTime()],
    state_updated_at: ({ stateUpdatedAt, createdAt }) => [(stateUpdatedAt ?? createdAt).getTime()],
  };
  const sign = sortOrder === "asc" ? 1 : -1;
  return (a, b) => {
    const place = places[sortBy](b);
    const difference = places[sortBy](a)
      .map((value, at) => value - (place[at] ?? 0))
      .find((each) => each !== 0);
    return sign * (difference ?? (a.threadId < b.threadId ? -1 : 1));
  };
}
