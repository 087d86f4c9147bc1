/** Where the API is served, and which parts of it: what a project switches off is not there at all. */
import type { RequestHandler } from "express";
import type { Part } from "../graphs/config/http.js";
import { notFound } from "./errors.js";
import type { Resource } from "./resource.js";

/** The routes of parts that are switched off are never made: 404, and not in the document. */
export function servedParts(resource: Resource, disabled: ReadonlySet<Part>): Resource {
  const served =
    (register: Resource["get"]): Resource["get"] =>
    (path, operation, handler) => {
      const part = partOf(path);
      if (part === undefined || !disabled.has(part)) register(path, operation, handler);
    };
  return {
    get: served(resource.get),
    post: served(resource.post),
    put: served(resource.put),
    patch: served(resource.patch),
    delete: served(resource.delete),
  };
}

/** What the server tells of itself; not `/ok`, which health checks need. */
const META = /^\/(info|metrics|openapi\.json|docs)?(\/|$)/;

/** @returns undefined for what is always served */
export function partOf(path: string): Part | undefined {
  // Those on a thread as well.
  if (/\/runs(\/|$)/.test(path)) return "runs";
  if (/^\/assistants(\/|$)/.test(path)) return "assistants";
  if (/^\/threads(\/|$)/.test(path)) return "threads";
  if (/^\/store(\/|$)/.test(path)) return "store";
  if (/^\/ui(\/|$)/.test(path)) return "ui";
  return META.test(path) ? "meta" : undefined;
}

/**
 * Everything lies below the prefix; only `/ok` is also where health checks look for it.
 * @param prefix such as `/api`, or "" for none
 */
export function mountedAt(prefix: string): RequestHandler {
  return (request, _response, next) => {
    const { url, path, method } = request;
    if (prefix === "" || path === "/ok") return next();
    if (path !== prefix && !path.startsWith(`${prefix}/`)) throw notFound(`${method} ${path}`);
    const below = url.slice(prefix.length);
    request.url = below.startsWith("/") ? below : `/${below}`;
    next();
  };
}
