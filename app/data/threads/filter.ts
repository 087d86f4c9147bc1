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

const STATUSES: readonly ThreadStatus[] = ["busy", "error", "idle", "interrupted"];

/** As the index has them: in each order among equal ones the id decides, among those of a status first the last change. */
export function compareThreads({ sortBy, sortOrder }: Pick<ThreadPage, "sortBy" | "sortOrder">) {
  const sign = sortOrder === "asc" ? 1 : -1;
  return (a: ThreadRecord, b: ThreadRecord): number =>
    sign * (differenceBy[sortBy](a, b) || (a.threadId < b.threadId ? -1 : 1));
}

type Difference = (a: ThreadRecord, b: ThreadRecord) => number;
const byUpdate: Difference = (a, b) => a.updatedAt.getTime() - b.updatedAt.getTime();
const stateTime = ({ stateUpdatedAt, createdAt }: ThreadRecord) => (stateUpdatedAt ?? createdAt).getTime();
const differenceBy: Record<ThreadPage["sortBy"], Difference> = {
  thread_id: () => 0,
  status: (a, b) => STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status) || byUpdate(a, b),
  created_at: (a, b) => a.createdAt.getTime() - b.createdAt.getTime(),
  updated_at: byUpdate,
  state_updated_at: (a, b) => stateTime(a) - stateTime(b),
};
