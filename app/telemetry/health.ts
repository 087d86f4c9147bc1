/** The worker's health, on a port of its own: `GET /ok` answers while its event loop turns. */
import { createServer, type Server } from "node:http";

/** @param port 0 for a free one @returns the server, listening */
export function serveHealth(port: number, describe: () => Record<string, unknown>): Promise<Server> {
  const server = createServer((request, response) => {
    const known = request.method === "GET" && request.url?.split("?")[0] === "/ok";
    response.writeHead(known ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(known ? { ok: true, ...describe() } : { detail: "only GET /ok is served here" }));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Who asks is on the same machine: npm start, or the container's own health check.
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
