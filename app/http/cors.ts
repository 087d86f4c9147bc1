/**
 * CORS: which web pages of other origins may ask. Keys travel in headers that a page sets itself, never in cookies, so
 * credentials are never allowed, and any origin may be named without a risk to those who are logged in elsewhere.
 */
import type { RequestHandler } from "express";

/** What SDKs read besides the content: where a run is and goes on, and the next page. */
const EXPOSED = "content-location, location, x-pagination-total, x-pagination-next, x-request-id, x-served-by";
const DAY_SECONDS = 86_400;

/** @param origins such as `https://chat.example.com`, or `*`; with none, only pages of this server may ask */
export function allowOrigins(origins: readonly string[]): RequestHandler {
  const anybody = origins.includes("*");
  return (request, response, next) => {
    const { origin } = request.headers;
    if (!anybody && origins.length > 0) response.vary("Origin");
    if (origin !== undefined && (anybody || origins.includes(origin))) {
      response.setHeader("Access-Control-Allow-Origin", anybody ? "*" : origin);
      response.setHeader("Access-Control-Expose-Headers", EXPOSED);
      if (request.method === "OPTIONS") {
        response.setHeader("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE");
        response.setHeader("Access-Control-Max-Age", DAY_SECONDS);
        // Clients send headers of their own; which ones decides nothing here.
        const wanted = request.headers["access-control-request-headers"];
        if (wanted) response.setHeader("Access-Control-Allow-Headers", wanted);
      }
    }
    if (request.method !== "OPTIONS") return next();
    response.status(204).end();
  };
}
