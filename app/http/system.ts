/** What anybody may ask: whether the server is well, what it is, and what it can do. */
import type { OpenAPIRegistry } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { HttpError } from "./errors.js";
import { type OpenApiDocument, openApiDocument } from "./openapi.js";
import { type Resource, reply } from "./resource.js";
import { QueryFlag } from "./shapes.js";
import { version } from "./version.js";

export interface SystemDeps {
  redis: { ping(): Promise<string> };
  registry: OpenAPIRegistry;
  /** Of the LangGraph that runs the graphs. */
  langgraphVersion: string;
  /** Whether clients need a key. */
  keyed: boolean;
  mountPrefix: string;
}

export function systemRoutes(
  resource: Resource,
  { redis, registry, langgraphVersion, keyed, mountPrefix }: SystemDeps,
): void {
  resource.get(
    "/ok",
    {
      summary: "Whether the server is well",
      description: "Health checks ask without `check_db`: a server is well while Redis is away.",
      query: z.object({ check_db: QueryFlag.default(false).describe("ask Redis as well") }),
      answers: {
        200: { description: "well", json: z.object({ ok: z.literal(true) }) },
        500: "Redis does not answer",
      },
      open: true,
    },
    async ({ query }) => {
      if (query.check_db && !(await answers(redis))) throw new HttpError(500, "the database does not answer");
      return reply({ ok: true });
    },
  );

  resource.get(
    "/",
    {
      summary: "Whether somebody is there",
      description: "As the platform has it, for people; health checks ask `/ok`.",
      answers: { 200: { description: "a server", json: z.object({ ok: z.literal(true) }) } },
    },
    async () => reply({ ok: true }),
  );

  resource.get(
    "/info",
    {
      summary: "What this server is",
      answers: {
        200: {
          description: "versions, and which parts of the API there are",
          json: z.object({
            version: z.string(),
            langgraph_js_version: z.string(),
            context: z.literal("js"),
            flags: z.record(z.string(), z.boolean()),
            metadata: z.object({}),
          }),
        },
      },
      open: true,
    },
    async () =>
      reply({
        version,
        langgraph_js_version: langgraphVersion,
        context: "js",
        flags: { assistants: true, crons: false, langsmith: false, langsmith_tracing_replicas: false },
        metadata: {},
      }),
  );

  let document: OpenApiDocument | undefined;
  resource.get(
    "/openapi.json",
    {
      summary: "This document",
      answers: { 200: { description: "OpenAPI 3.1", json: z.looseObject({ openapi: z.string() }) } },
      open: true,
    },
    async () => {
      document ??= openApiDocument(registry, { version, keyed, mountPrefix });
      return reply(document);
    },
  );
}

async function answers(redis: { ping(): Promise<string> }): Promise<boolean> {
  try {
    return (await redis.ping()) === "PONG";
  } catch {
    return false;
  }
}
