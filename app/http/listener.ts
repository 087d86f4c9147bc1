/**
 * The sockets of a server: where it listens, how long it keeps connections, and how it leaves. Leaving is the hard part:
 * Node.js waits for every connection, also for those that will never bring a request.
 */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { bindAddress } from "../auth/apiKeys.js";
import type { Settings } from "../settings.js";
import type { Log } from "../telemetry/log.js";
import type { OpenAnswers } from "./openAnswers.js";

export interface ListenerDeps {
  settings: Pick<Settings, "port" | "apiKeyHashes" | "allowAnonymous" | "httpKeepAliveTimeoutMs" | "drainSeconds">;
  log: Log;
}

export interface Listener {
  /** @returns the port. @throws the error of Node.js when it can't, such as EADDRINUSE */
  listen(): Promise<number>;
  /**
   * Stops accepting, sends the clients of open answers away to resume on another server, and resolves when the other
   * requests are answered, or cut after `drainSeconds`.
   */
  close(): Promise<void>;
}

export function createListener(app: RequestListener, open: OpenAnswers, { settings, log }: ListenerDeps): Listener {
  const server = createServer(app);
  setTimeouts(server, settings.httpKeepAliveTimeoutMs);
  server.on("clientError", refuseMalformed);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });

  /** Node.js keeps these for the whole keep-alive time: what has been answered, and what never asked. */
  const closeIdle = () => {
    server.closeIdleConnections();
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  };

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(settings.port, bindAddress(settings), () => {
          server.off("error", reject);
          resolve((server.address() as AddressInfo).port);
        });
      }),

    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      open.drain();
      closeIdle();
      const idle = setInterval(closeIdle, 50);
      const limit = setTimeout(() => {
        log.warn("requests were cut at the end of the drain");
        server.closeAllConnections();
      }, settings.drainSeconds * 1_000);
      await closed;
      clearInterval(idle);
      clearTimeout(limit);
    },
  };
}

/** The load balancer must be the one that closes an idle connection, or it sends requests into a closing one. */
function setTimeouts(server: Server, keepAliveTimeoutMs: number): void {
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.headersTimeout = keepAliveTimeoutMs + 1_000;
  // For a whole request, with a body of the largest size over a slow line; Node.js takes no less than for its headers.
  server.requestTimeout = Math.max(server.headersTimeout, 300_000);
}

const malformed: Record<string, [status: string, detail: string]> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "the headers are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "the request did not arrive in time"],
};

/** What is no HTTP reaches no route. The socket may be gone already. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) return;
  const [status, detail] = malformed[error.code ?? ""] ?? ["400 Bad Request", "this is not HTTP"];
  const body = JSON.stringify({ detail });
  const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`);
}
