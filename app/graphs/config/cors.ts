/** The key `http.cors`: which web pages of other origins may ask, and for what. */
import { z } from "zod";
import { ProjectError } from "./error.js";

export interface CorsConfig {
  /** Such as `https://chat.example.com`, or `*`. */
  origins: string[];
  /** Of a whole origin. */
  originPattern: RegExp | undefined;
  /** None: any. */
  methods: string[];
  /** None: any. */
  headers: string[];
  /** Cookies may be sent along. Never where any origin may ask. */
  credentials: boolean;
  /** Besides those that SDKs read. */
  exposedHeaders: string[];
  maxAgeSeconds: number;
}

const DAY_SECONDS = 86_400;
const FORM = 'must be an object such as {"allow_origins": ["https://chat.example.com"]}';
const TOKENS = 'must be a list of names, or ["*"]';
const Tokens = z.array(z.string(TOKENS).regex(/^[\w!#$%&'*+.^`|~-]+$/, TOKENS), TOKENS).nullish();
const ORIGINS = 'must be a list of origins such as "https://chat.example.com", or ["*"]';
const SECONDS = "must be a whole number of seconds";

export const Cors = z.object(
  {
    allow_origins: z.array(z.string(ORIGINS).regex(/^[^\s,]+$/, ORIGINS), ORIGINS).nullish(),
    allow_origin_regex: z.string("must be a text").nullish(),
    allow_methods: Tokens,
    allow_headers: Tokens,
    allow_credentials: z.boolean("must be true or false").nullish(),
    expose_headers: Tokens,
    max_age: z
      .int(SECONDS)
      .min(0, SECONDS)
      .max(10 * 365 * DAY_SECONDS, SECONDS)
      .nullish(),
  },
  FORM,
);

/** @throws ProjectError */
export function corsConfig(origin: string, given: z.infer<typeof Cors> | null | undefined): CorsConfig {
  const config: CorsConfig = {
    origins: (given?.allow_origins ?? []).map((each) => each.replace(/\/$/, "")),
    originPattern: pattern(origin, given?.allow_origin_regex),
    methods: withoutAny(given?.allow_methods).map((method) => method.toUpperCase()),
    headers: withoutAny(given?.allow_headers),
    credentials: given?.allow_credentials ?? false,
    exposedHeaders: (given?.expose_headers ?? []).filter((name) => name !== "*"),
    maxAgeSeconds: given?.max_age ?? DAY_SECONDS,
  };
  if (config.credentials && allowsAnybody(config))
    throw new ProjectError(
      `${origin}: http.cors.allow_credentials must not be true where any origin may ask: name the origins`,
    );
  return config;
}

/** No page has either of these; an expression that takes both takes all. */
const NOBODYS = ["https://a.invalid", "http://b.invalid:1"];

export function allowsAnybody({ origins, originPattern }: CorsConfig): boolean {
  return origins.includes("*") || NOBODYS.every((each) => originPattern?.test(each));
}

function pattern(origin: string, text: string | null | undefined): RegExp | undefined {
  if (!text) return undefined;
  try {
    return new RegExp(`^(?:${text})$`);
  } catch {
    throw new ProjectError(`${origin}: http.cors.allow_origin_regex is no regular expression of JavaScript's`);
  }
}

const withoutAny = (names: string[] | null | undefined) => (names?.includes("*") ? [] : (names ?? []));
