/**
 * CORS: which web pages of other origins may ask. Keys travel in headers that a page sets itself, never in cookies, so any
 * origin may be named without a risk to those who are logged in elsewhere; cookies, of a proxy in front, may be sent along
 * only by origins that are named.
 */
import type { RequestHandler } from "express";
import { allowsAnybody, type CorsConfig } from "../graphs/config/cors.js";
import { ProjectError } from "../graphs/config.js";

/** What SDKs read besides the content: where a run is and goes on, and the next page. */
const EXPOSED = "content-location, location, x-pagination-total, x-pagination-next, x-request-id, x-served-by";
const METHODS = "GET, POST, PUT, PATCH, DELETE";

/**
 * @param origins of CORS_ALLOW_ORIGINS, besides those of langgraph.json; with none, only pages of this server may ask
 * @throws ProjectError when both together would let any origin send cookies along
 */
export function allowOrigins(origins: readonly string[], config: CorsConfig): RequestHandler {
  const cors = { ...config, origins: [...config.origins, ...origins] };
  const anybody = cors.origins.includes("*");
  if (cors.credentials && allowsAnybody(cors))
    throw new ProjectError(
      "http.cors.allow_credentials must not be true where CORS_ALLOW_ORIGINS is *: name the origins",
    );
  const varies = !anybody && (cors.origins.length > 0 || cors.originPattern !== undefined);
  const exposed = [EXPOSED, ...cors.exposedHeaders].join(", ");
  return (request, response, next) => {
    const { origin } = request.headers;
    if (varies) response.vary("Origin");
    if (origin !== undefined && (anybody || cors.origins.includes(origin) || cors.originPattern?.test(origin))) {
      response.setHeader("Access-Control-Allow-Origin", anybody ? "*" : origin);
      response.setHeader("Access-Control-Expose-Headers", exposed);
      if (cors.credentials) response.setHeader("Access-Control-Allow-Credentials", "true");
      if (request.method === "OPTIONS") {
        response.setHeader("Access-Control-Allow-Methods", cors.methods.join(", ") || METHODS);
        response.setHeader("Access-Control-Max-Age", cors.maxAgeSeconds);
        // Clients send headers of their own; unless some are named, which ones decides nothing here.
        const wanted = cors.headers.join(", ") || request.headers["access-control-request-headers"];
        if (wanted) response.setHeader("Access-Control-Allow-Headers", wanted);
      }
    }
    if (request.method !== "OPTIONS") return next();
    response.status(204).end();
  };
}
