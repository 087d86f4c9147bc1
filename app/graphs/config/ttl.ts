/** Times to live: the key `store`, of items, and `checkpointer`, of threads with their checkpoints. */
import { z } from "zod";
import { ProjectError } from "./error.js";

/** Of store items; a default is for those that are put without one. */
export interface ItemTtl {
  defaultMs: number | undefined;
  refreshOnRead: boolean;
}

/** What becomes of a thread on which nothing happens for so long. */
export interface DefaultThreadTtl {
  strategy: "delete" | "keep_latest";
  ms: number;
}

const minutes = (most: number) => {
  const form = `must be a number of minutes above 0, at most ${most}`;
  return z.number(form).gt(0, form).max(most, form);
};
const FLAG = "must be true or false";
const POSITIVE = "must be a number above 0";
const MOST_ITEM_MINUTES = 52_560_000;
/** As for a thread that is given one. */
const MOST_THREAD_MINUTES = 5_256_000;
const STORE_FORM = 'must be an object such as {"ttl": {"default_ttl": 60}}';
const CHECKPOINTER_FORM = 'must be an object such as {"ttl": {"strategy": "delete", "default_ttl": 43200}}';

export const Store = z.object(
  {
    index: z.unknown().optional(),
    ttl: z
      .object(
        {
          default_ttl: minutes(MOST_ITEM_MINUTES).nullish(),
          refresh_on_read: z.boolean(FLAG).nullish(),
        },
        STORE_FORM,
      )
      .nullish(),
  },
  STORE_FORM,
);

/** When and how much is swept decides nothing here: what has expired goes within seconds. */
export const Checkpointer = z.object(
  {
    backend: z.string("must be a text").nullish(),
    path: z.unknown().optional(),
    serde: z.unknown().optional(),
    ttl: z
      .object(
        {
          strategy: z.enum(["delete", "keep_latest"], "must be delete or keep_latest").nullish(),
          default_ttl: minutes(MOST_THREAD_MINUTES).nullish(),
          sweep_interval_minutes: z.number(POSITIVE).gt(0, POSITIVE).nullish(),
          sweep_limit: z.number(POSITIVE).gt(0, POSITIVE).nullish(),
        },
        CHECKPOINTER_FORM,
      )
      .nullish(),
  },
  CHECKPOINTER_FORM,
);

type Given<T extends z.ZodType> = z.infer<T> | null | undefined;

export function itemTtl(store: Given<typeof Store>): ItemTtl {
  const { default_ttl: minutesKept, refresh_on_read: refreshOnRead } = store?.ttl ?? {};
  return { defaultMs: minutesKept ? toMs(minutesKept) : undefined, refreshOnRead: refreshOnRead ?? true };
}

/** @throws ProjectError for another place to keep threads: they would not be there */
export function threadTtl(origin: string, given: Given<typeof Checkpointer>): DefaultThreadTtl | undefined {
  const { backend, path, ttl } = given ?? {};
  if ((backend ?? "default") !== "default" || path != null) {
    const key = path == null ? "backend" : "path";
    throw new ProjectError(
      `${origin}: checkpointer.${key} is not supported: threads are kept in Redis, and would not be where you look for ` +
        "them; take the key out to go on without it",
    );
  }
  if (!ttl?.default_ttl) return undefined;
  return { strategy: ttl.strategy ?? "delete", ms: toMs(ttl.default_ttl) };
}

export function ttlWarnings(store: Given<typeof Store>, checkpointer: Given<typeof Checkpointer>): string[] {
  return [
    ...(store?.index == null
      ? []
      : ['"store.index" is not supported: a search with a query finds the latest items, not the nearest in meaning']),
    ...(checkpointer?.serde == null ? [] : ['"checkpointer.serde" is for Python graphs and has no effect']),
  ];
}

const toMs = (given: number) => Math.max(1, Math.round(given * 60_000));
