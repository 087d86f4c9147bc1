/** The key `webhooks`: which addresses runs may be told at, and what is sent along. */
import { validateHeaderName, validateHeaderValue } from "node:http";
import { z } from "zod";
import { ProjectError } from "./error.js";
import { onlyKeys, unknownKeys } from "./keys.js";
import type { Environment } from "./source.js";

export interface WebhookConfig {
  /** Whom to name where a header is wrong: langgraph.json, or the variable that has taken its place. */
  origin: string;
  /** Values as the file has them: variables are put in by `webhookHeaders`. */
  headers: Record<string, string>;
  /** What the names of variables in headers begin with. */
  envPrefix: string;
  requireHttps: boolean;
  /** `hooks.example.com`, or `*.example.com` for all below it; none: any. */
  allowedDomains: string[];
  /** None: any. */
  allowedPorts: number[];
  maxUrlLength: number;
  disableLoopback: boolean;
}

/** As long as common servers take a request's first line. */
const MAX_URL_LENGTH = 8_192;

const FORM = 'must be an object such as {"url": {"require_https": true}}';
const FLAG = "must be true or false";
const DOMAIN = 'must be a host such as "hooks.example.com", or "*.example.com"';
const DOMAINS = `must be a list of hosts such as "hooks.example.com"`;
const PORT = "must be a port, 1 to 65535";
const LENGTH = "must be a number of characters, 1 to 65536";
const HEADERS = "must be a map of header names to texts";

export const Webhooks = z.object(
  {
    env_prefix: z
      .string("must be a text")
      .regex(/^[A-Z_][A-Z0-9_]*$/i, "must be what names of variables begin with, such as LG_WEBHOOK_")
      .nullish(),
    headers: z.record(z.string(), z.string(HEADERS), HEADERS).nullish(),
    url: onlyKeys(
      {
        require_https: z.boolean(FLAG).nullish(),
        allowed_domains: z.array(z.string(DOMAIN).regex(/^(\*\.)?[^\s*/:@]+$/, DOMAIN), DOMAINS).nullish(),
        allowed_ports: z.array(z.int(PORT).min(1, PORT).max(65_535, PORT), "must be a list of ports").nullish(),
        max_url_length: z.int(LENGTH).min(1, LENGTH).max(65_536, LENGTH).nullish(),
        disable_loopback: z.boolean(FLAG).nullish(),
      },
      FORM,
    ).nullish(),
  },
  FORM,
);

/** @throws ProjectError for a header that can't be sent, or that names a variable without the prefix */
export function webhookConfig(origin: string, given: z.infer<typeof Webhooks> | null | undefined): WebhookConfig {
  const { headers = {}, env_prefix, url } = given ?? {};
  const config = {
    origin,
    headers: headers ?? {},
    envPrefix: env_prefix ?? "LG_WEBHOOK_",
    requireHttps: url?.require_https ?? false,
    allowedDomains: (url?.allowed_domains ?? []).map((domain) => domain.toLowerCase()),
    allowedPorts: url?.allowed_ports ?? [],
    maxUrlLength: url?.max_url_length ?? MAX_URL_LENGTH,
    disableLoopback: url?.disable_loopback ?? true,
  };
  for (const [name, value] of Object.entries(config.headers)) checkHeader(origin, name, value, config.envPrefix);
  return config;
}

/** Headers that say what is sent, and where: they are not the project's to set. */
const OURS = ["content-type", "content-length", "transfer-encoding", "connection", "host", "expect", "user-agent"];

const VARIABLE = /\$\{\{(.*?)\}\}/g;
const ENV = /^\s*env\.([A-Za-z_]\w*)\s*$/;

function checkHeader(origin: string, name: string, value: string, prefix: string): void {
  const refuse = (problem: string) => new ProjectError(`${origin}: webhooks.headers.${name} ${problem}`);
  try {
    validateHeaderName(name);
  } catch {
    throw refuse("is no name of a header");
  }
  if (OURS.includes(name.toLowerCase())) throw refuse("can't be set: it follows from what is sent");
  for (const [, inner = ""] of value.matchAll(VARIABLE)) {
    const variable = ENV.exec(inner)?.[1];
    if (variable === undefined) throw refuse(`holds \${{${inner}}}; only \${{ env.NAME }} is replaced`);
    if (!variable.startsWith(prefix))
      throw refuse(`names ${variable}; only variables that begin with ${prefix} are put into headers`);
  }
}

/**
 * The headers with their variables put in.
 * @throws ProjectError that names a variable that is not set, or a header that its value spoils, never the value
 */
export function webhookHeaders({ origin, headers }: WebhookConfig, environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, text]) => {
      const refuse = (problem: string) => new ProjectError(`${origin}: webhooks.headers.${name} ${problem}`);
      const value = text.replace(VARIABLE, (_, inner: string) => {
        const variable = ENV.exec(inner)?.[1] ?? "";
        const found = environment[variable];
        if (!found) throw refuse(`needs ${variable}, which is not set in the environment`);
        return found;
      });
      try {
        validateHeaderValue(name, value);
      } catch {
        throw refuse("holds a character that no header can");
      }
      return [name, value];
    }),
  );
}

/** @param json the key as it is written */
export function webhookWarnings(json: unknown, { headers, allowedDomains }: WebhookConfig): string[] {
  const unknown = unknownKeys(json, Webhooks.shape).map(
    (key) => `"webhooks.${key}" is not supported and has no effect`,
  );
  // They are sent to whoever may start a run and names an address.
  const secret = Object.values(headers).some((value) => value.search(VARIABLE) !== -1);
  if (!secret || allowedDomains.length > 0) return unknown;
  return [
    ...unknown,
    '"webhooks.headers" are sent to whatever address a caller names; list your receivers in "webhooks.url.allowed_domains"',
  ];
}
