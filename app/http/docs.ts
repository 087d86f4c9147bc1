/**
 * The page at `/docs`: the API's document to read and to try. All that it loads comes from this server, so it works where
 * there is no internet; and it is public as the document is: the page asks for the key, and sends it with its requests.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Express, RequestHandler } from "express";
import getSwaggerFolder from "swagger-ui-dist/absolute-path.js";
import type { Resource } from "./resource.js";

const ours = fileURLToPath(new URL("./docs/", import.meta.url));
const theirs = getSwaggerFolder();

/** Only these: the package holds more. */
const FILES: Record<string, string> = {
  "/docs/page.css": ours,
  "/docs/page.js": ours,
  "/docs/swagger-ui.css": theirs,
  "/docs/swagger-ui-bundle.js": theirs,
};

/** Answered without a key. */
export const DOCS_PATHS: readonly string[] = ["/docs", "/docs/", ...Object.keys(FILES)];

/**
 * Without `upgrade-insecure-requests`, which the other answers have: a deployment without a certificate answers by HTTP
 * alone. Swagger UI sets styles as it draws.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** @param mountPrefix where the API begins, or "" */
export function docsRoutes(app: Express, resource: Resource, mountPrefix: string): void {
  const page = readFileSync(join(ours, "index.html"), "utf8").replaceAll('="/docs/', `="${mountPrefix}/docs/`);
  resource.get(
    "/docs",
    {
      summary: "This document, to read and to try",
      answers: { 200: { description: "a page", text: "text/html" } },
      open: true,
    },
    async ({ response }) => {
      response.setHeader("Content-Security-Policy", POLICY);
      response.type("html").send(page);
      return undefined;
    },
  );
  app.use(sendFiles());
}

/** Browsers ask again each time: the next release has other files under these names, with the times that packages have. */
function sendFiles(): RequestHandler {
  const tags = new Map(Object.entries(FILES).map(([path, root]) => [path, hashOf(join(root, basename(path)))]));
  return (request, response, next) => {
    const root = FILES[request.path];
    if (root === undefined || (request.method !== "GET" && request.method !== "HEAD")) return next();
    response.locals.route = "/docs";
    response.setHeader("Cache-Control", "no-cache");
    response.setHeader("ETag", `"${tags.get(request.path)}"`);
    response.sendFile(basename(request.path), { root, cacheControl: false, lastModified: false });
  };
}

const hashOf = (file: string) => createHash("sha256").update(readFileSync(file)).digest("base64url");
