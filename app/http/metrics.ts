/** `GET /metrics` of a server, and what it counts of its requests. */
import type { RequestHandler } from "express";
import { z } from "zod";
import { isAway } from "../redis/away.js";
import type { Metrics, Numbers } from "../telemetry/metrics.js";
import type { OpenRequests } from "./limits.js";
import type { OpenAnswers } from "./openAnswers.js";
import type { Resource } from "./resource.js";

const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface ServerMetricsDeps {
  metrics: Metrics;
  open: OpenAnswers;
  requests: OpenRequests;
  /** Runs by state. @throws while Redis is away */
  queueDepth: () => Promise<Numbers>;
}

/** Before all else, so that refusals count too. */
export function countRequests(metrics: Metrics, open: OpenAnswers): RequestHandler {
  const total = metrics.counter("http_requests_total", "Requests answered", ["method", "route", "status"]);
  const seconds = metrics.histogram(
    "http_request_duration_seconds",
    "Until the answer was sent; without streams, and requests that wait for a run",
    ["method", "route"],
    BUCKETS_SECONDS,
  );
  return (request, response, next) => {
    const began = performance.now();
    response.once("close", () => {
      // A path that is none of ours would be another label for each who tries one.
      const route = String(response.locals.route ?? "other");
      const method = request.method;
      total.inc({ method, route, status: String(response.statusCode) });
      if (!open.held(response)) seconds.observe({ method, route }, (performance.now() - began) / 1_000);
    });
    next();
  };
}

export function metricsRoutes(resource: Resource, { metrics, open, requests, queueDepth }: ServerMetricsDeps): void {
  metrics.gauge(
    "open_streams",
    "Streams, and requests that wait for a run's end, open on this server",
    () => open.size,
  );
  metrics.gauge("open_requests", "Requests open on this server, streams included", () => requests.size);
  // Of the latest who asked; undefined while Redis is away, where this process's own numbers are told all the same.
  let depth: Numbers | undefined;
  metrics.gauges("runs", "Runs of the whole deployment, by state: claimable, delayed, running", "state", () => depth);
  metrics.gauge("redis_up", "Whether Redis answers this server", () => (depth === undefined ? 0 : 1));

  resource.get(
    "/metrics",
    {
      summary: "What this server counts, for Prometheus",
      query: z.object({ format: z.enum(["prometheus", "json"]).default("prometheus") }),
      answers: {
        200: {
          description: "metrics, in Prometheus's text format or as a JSON list",
          json: z.array(
            z.object({ name: z.string(), help: z.string(), type: z.string(), values: z.array(z.unknown()) }),
          ),
          text: "text/plain",
        },
      },
    },
    async ({ query, response }) => {
      depth = await queueDepth().catch((error: unknown) => {
        if (!isAway(error)) throw error;
        return undefined;
      });
      const { type, text } = await metrics.render(query.format);
      response.setHeader("Content-Type", type);
      response.setHeader("Cache-Control", "no-store");
      response.end(text);
      return undefined;
    },
  );
}
