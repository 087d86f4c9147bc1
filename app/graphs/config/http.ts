/** The key `http`: which parts of the API are served, where, and to whom. */
import { z } from "zod";
import { Cors, type CorsConfig, corsConfig } from "./cors.js";
import { ProjectError } from "./error.js";
import { onlyKeys, unknownKeys } from "./keys.js";

/** Parts of the API that a project can switch off. */
export const PARTS = ["assistants", "threads", "runs", "store", "meta", "webhooks", "ui"] as const;
export type Part = (typeof PARTS)[number];

/** Names of headers, or patterns with `*`, in lower case. */
export interface HeaderChoice {
  includes: string[];
  excludes: string[];
}

export interface HttpConfig {
  disabled: ReadonlySet<Part>;
  cors: CorsConfig;
  /** Headers of a request that its run finds in `config.configurable`. */
  configurableHeaders: HeaderChoice;
  /** `/api`, or "" for none. */
  mountPrefix: string;
}

const FORM = 'must be an object such as {"disable_store": true}';
const FLAG = "must be true or false";
const Flag = z.boolean(FLAG).nullish();
const HEADERS = "must be a list of header names; * stands for any characters";
const HeaderNames = z.array(z.string(HEADERS).regex(/^[\w!#$%&'*+.^`|~-]+$/, HEADERS), HEADERS).nullish();
const Headers = onlyKeys(
  // Earlier documents of the platform have the names without an s.
  { includes: HeaderNames, excludes: HeaderNames, include: HeaderNames, exclude: HeaderNames },
  'must be an object such as {"includes": ["x-user-id"]}',
);

const MOUNT_PREFIX_FORM = "must be a path such as /api";
const MountPrefix = z
  .string(MOUNT_PREFIX_FORM)
  .regex(/^\/$|^(\/[\w.~-]+)+\/?$/, MOUNT_PREFIX_FORM)
  .transform((path) => path.replace(/\/$/, ""));

export const Http = z.object(
  {
    app: z.unknown().optional(),
    disable_assistants: Flag,
    disable_threads: Flag,
    disable_runs: Flag,
    disable_store: Flag,
    disable_meta: Flag,
    disable_webhooks: Flag,
    disable_mcp: Flag,
    disable_a2a: Flag,
    disable_ui: Flag,
    cors: Cors.nullish(),
    configurable_headers: Headers.nullish(),
    logging_headers: Headers.nullish(),
    middleware_order: z.unknown().optional(),
    enable_custom_route_auth: z.unknown().optional(),
    mount_prefix: MountPrefix.nullish(),
  },
  FORM,
);
type Given = z.infer<typeof Http> | null | undefined;

/** @throws ProjectError for routes that would be missing, and for what CORS must not allow */
export function httpConfig(origin: string, given: Given): HttpConfig {
  if (given?.app != null)
    throw new ProjectError(
      `${origin}: http.app is not supported: its routes would be missing; take the key out to go on without it`,
    );
  return {
    disabled: new Set(PARTS.filter((part) => given?.[`disable_${part}`])),
    cors: corsConfig(origin, given?.cors),
    configurableHeaders: headerChoice(given?.configurable_headers),
    mountPrefix: given?.mount_prefix ?? "",
  };
}

function headerChoice(given: z.infer<typeof Headers> | null | undefined): HeaderChoice {
  const lower = (names: string[] | null | undefined) => (names ?? []).map((name) => name.toLowerCase());
  return {
    includes: [...lower(given?.includes), ...lower(given?.include)],
    excludes: [...lower(given?.excludes), ...lower(given?.exclude)],
  };
}

/** @param json the key as it is written */
export function httpWarnings(json: unknown, given: Given): string[] {
  const { cors } = (json ?? {}) as { cors?: unknown };
  const unknown = [...unknownKeys(json, Http.shape), ...unknownKeys(cors, Cors.shape).map((key) => `cors.${key}`)];
  const routes = ["middleware_order", "enable_custom_route_auth"] as const;
  const { includes, include } = given?.logging_headers ?? {};
  return [
    ...unknown.map((key) => `"http.${key}" is not supported and has no effect`),
    ...routes
      .filter((key) => given?.[key] != null)
      .map((key) => `"http.${key}" is for routes of a project's own, which are not supported, and has no effect`),
    ...(includes?.length || include?.length
      ? ['"http.logging_headers" has no effect: headers of requests are never logged']
      : []),
  ];
}
