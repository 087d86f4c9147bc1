/**
 * The worker's health, on a port of its own: `GET /ok`, and `/ok?check_db=1`, which is never a health check; and its
 * metrics, `GET /metrics` (`?format=json`).
 */
import { createServer, type Server } from "node:http";
import type { MetricsFormat, MetricsText } from "./metrics.js";

export interface Health {
  /** Why the instance should be replaced; undefined while it is well. */
  unfit: () => string | undefined;
  /** Shown beside `ok`. */
  describe: () => Record<string, unknown>;
  /** Whether Redis answers. */
  redisAnswers: () => Promise<boolean>;
  metrics: (format: MetricsFormat) => Promise<MetricsText>;
}

/** @param port 0 for a free one @returns the server, listening */
export function serveHealth(port: number, health: Health): Promise<Server> {
  const server = createServer(async (request, response) => {
    const [path, query] = request.url?.split("?") ?? [];
    const answer = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const asked = new URLSearchParams(query);
    if (request.method === "GET" && path === "/metrics") {
      const { type, text } = await health.metrics(asked.get("format") === "json" ? "json" : "prometheus");
      response.writeHead(200, { "content-type": type });
      return void response.end(text);
    }
    if (request.method !== "GET" || path !== "/ok")
      return answer(404, { detail: "only GET /ok and GET /metrics are served here" });
    const reason = health.unfit();
    if (reason !== undefined) return answer(503, { ok: false, reason, ...health.describe() });
    const checksRedis = ["1", "true"].includes(asked.get("check_db") ?? "");
    if (checksRedis && !(await health.redisAnswers())) return answer(500, { detail: "the database does not answer" });
    answer(200, { ok: true, ...health.describe() });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Who asks is on the same machine: npm start, the container's own health check, or a collector of metrics beside it.
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
