/**
 * Headers of a request that its run finds in `config.configurable`, under their names in lower case: those that the project
 * asks for, and over what the body says, because a gateway in front sets them and clients write the body.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Request, RequestHandler } from "express";
import type { HeaderChoice } from "../graphs/config/http.js";

/** No pattern takes them, only their own names. */
const SECRETS = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-service-key"];

export function takeHeaders(choice: HeaderChoice): RequestHandler {
  const choose = headerChooser(choice);
  return (request, response, next) => {
    response.locals.configurable = choose(request.headers);
    next();
  };
}

/** What `takeHeaders` has taken. */
export function takenHeaders(request: Request): Record<string, string> {
  return request.res?.locals.configurable ?? {};
}

export function headerChooser({ includes, excludes }: HeaderChoice) {
  const included = anyOf(includes);
  const excluded = anyOf(excludes);
  const isChosen = (name: string) =>
    !excluded(name) && (SECRETS.includes(name) ? includes.includes(name) : included(name));
  return (headers: IncomingHttpHeaders): Record<string, string> =>
    Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        value !== undefined && isChosen(name) ? [[name, [value].flat().join(", ")]] : [],
      ),
    );
}

function anyOf(patterns: readonly string[]): (name: string) => boolean {
  const tests = patterns.map((pattern) => new RegExp(`^${pattern.replace(/[.+^$|]/g, "\\$&").replace(/\*+/g, ".*")}$`));
  return (name) => tests.some((test) => test.test(name));
}
