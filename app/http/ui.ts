/**
 * Components that a graph's messages name: the HTML that `LoadExternalComponent` of the SDK puts into a page, and the files
 * that it loads. Those are public: a page's `<script>` and `<link>` can't send a key.
 */
import { createHash } from "node:crypto";
import { extname } from "node:path";
import type { Request } from "express";
import { z } from "zod";
import type { UiFiles } from "../graphs/ui.js";
import { HttpError } from "./errors.js";
import type { Resource } from "./resource.js";

/** Of the files. */
export const isUiFile = (path: string): boolean => /^\/ui\/[^/]+\/[^/]+$/.test(path);

const GraphPath = z.object({ graph_id: z.string().describe("a name under `ui` in langgraph.json") });
const NO_UI = "langgraph.json names no components for the graph";

export interface UiDeps {
  files: UiFiles;
  /** Where the API begins, or "". */
  mountPrefix: string;
}

export function uiRoutes(resource: Resource, { files, mountPrefix }: UiDeps): void {
  const filesOf = (graphId: string) => {
    const found = files.get(graphId);
    if (!found) throw new HttpError(404, `there are no components for ${graphId}: langgraph.json names none under ui`);
    return found;
  };
  resource.post(
    "/ui/:graph_id",
    {
      summary: "The HTML that shows a component of a graph",
      description: "For `LoadExternalComponent` of the JavaScript SDK, which replaces `{{shadowRootId}}`.",
      params: GraphPath,
      body: z.object({ name: z.string().min(1).describe("of the component, as the graph's message has it") }),
      answers: { 200: { description: "a link to the styles and a script", text: "text/html" }, 404: NO_UI },
    },
    async ({ params, body, request, response }) => {
      const names = [...filesOf(params.graph_id).keys()];
      const base = `${originOf(request)}${mountPrefix}/ui/${params.graph_id}`;
      response.type("html").send(htmlOf(params.graph_id, names, base, body.name));
      return undefined;
    },
  );

  const tags = new Map([...files.values()].flatMap((each) => [...each.values()].map((bytes) => [bytes, tagOf(bytes)])));
  resource.get(
    "/ui/:graph_id/:file",
    {
      summary: "A file of a graph's components",
      params: GraphPath.extend({ file: z.string() }),
      answers: {
        200: { description: "the file", text: ["text/javascript", "text/css"] },
        304: "it has not changed: `If-None-Match` was its ETag",
        404: `${NO_UI}, or they have no such file`,
      },
      open: true,
    },
    async ({ params, response }) => {
      const bytes = filesOf(params.graph_id).get(params.file);
      if (!bytes) throw new HttpError(404, `the components of ${params.graph_id} have no file ${params.file}`);
      // Pages of other origins load them.
      response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
      // Asked for again each time: the next release has other files under these names.
      response.setHeader("Cache-Control", "no-cache");
      response.setHeader("ETag", tags.get(bytes) ?? tagOf(bytes));
      response.type(extname(params.file)).send(bytes);
      return undefined;
    },
  );
}

function htmlOf(graphId: string, names: string[], base: string, component: string): string {
  const styles = names.filter((name) => name.endsWith(".css"));
  const scripts = names.filter((name) => name.endsWith(".js"));
  // What the bundle calls itself, and how: both are the bundler's.
  const bundle = `__LGUI_${graphId.replace(/[^a-zA-Z0-9]/g, "_")}`;
  const render = escapeHtml(`${bundle}.render(${JSON.stringify(component)}, "{{shadowRootId}}")`);
  return [
    ...styles.map((name) => `<link rel="stylesheet" href="${base}/${name}" />`),
    ...scripts.map((name) => `<script src="${base}/${name}" onload="${render}"></script>`),
  ].join("\n");
}

/**
 * As the client has reached this server, for a page of another origin. Without a word of a proxy the page's own scheme:
 * one that is loaded by HTTPS loads nothing else.
 * @throws HttpError 400
 */
function originOf({ headers }: Request): string {
  const { host = "" } = headers;
  if (!/^(\[[\da-f:.]+\]|[\w.-]+)(:\d+)?$/i.test(host)) throw new HttpError(400, "header.host: must be a host");
  if (headers["x-forwarded-proto"] === "https") return `https://${host}`;
  return /^(localhost|127\.0\.0\.1|\[::1\])(:|$)/i.test(host) ? `http://${host}` : `//${host}`;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

const tagOf = (bytes: Buffer) => `"${createHash("sha256").update(bytes).digest("base64url")}"`;
