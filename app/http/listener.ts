/**
 * The sockets of a server: where it listens, how long it keeps connections, and how it leaves. Leaving is the hard part:
 * Node.js waits for every connection, also for those that will never bring a request.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { bindAddress } from "../auth/apiKeys.js";
import type { Settings } from "../settings.js";
import type { Log } from "../telemetry/log.js";
import type { OpenAnswers } from "./openAnswers.js";

export interface ListenerDeps {
  settings: Pick<
    Settings,
    "port" | "apiKeyHashes" | "allowAnonymous" | "httpKeepAliveTimeoutMs" | "drainSeconds" | "limits"
  >;
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
  const { maxHeaderBytes, maxUrlBytes } = settings.limits;
  // A request without a Host is refused by the app, in a sentence.
  const server = createServer({ maxHeaderSize: maxHeaderBytes, requireHostHeader: false });
  server.on("request", closeWithSocket);
  server.on("request", app);
  setTimeouts(server, settings.httpKeepAliveTimeoutMs);
  server.on("clientError", (error, socket) => refuseMalformed(error, socket, maxUrlBytes));
  server.on("checkExpectation", refuseExpectation);
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

/**
 * Node.js tells a response that its connection has closed only once it is the response's turn on it. One that waits behind
 * others would never hear, and what follows a run for it would go on for ever.
 */
function closeWithSocket({ socket }: IncomingMessage, response: ServerResponse): void {
  const close = () => {
    if (response.socket || response.closed) return;
    response.destroy();
    response.emit("close");
  };
  // Each response that waits listens, however many a client sends at once.
  socket.setMaxListeners(0);
  socket.once("close", close);
  response.once("close", () => socket.off("close", close));
}

const MALFORMED: Refused = ["400 Bad Request", "this is not HTTP"];
const URL_TOO_LONG: Refused = ["414 URI Too Long", "the address is too long"];
const malformed: Record<string, Refused> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "the headers are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "the request did not arrive in time"],
};

type Refused = [status: string, detail: string];
type ClientError = NodeJS.ErrnoException & { rawPacket?: Buffer };

/** What is no HTTP reaches no route. The socket may be gone already. */
function refuseMalformed(error: ClientError, socket: Duplex, maxUrlBytes: number): void {
  if (!socket.writable) return;
  // The parser counts the first line as a header.
  const isLongUrl = error.code === "HPE_HEADER_OVERFLOW" && (error.rawPacket?.indexOf("\r\n") ?? -1) > maxUrlBytes;
  const [status, detail] = isLongUrl ? URL_TOO_LONG : (malformed[error.code ?? ""] ?? MALFORMED);
  const body = JSON.stringify({ detail });
  const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`);
}

function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(417, { "Content-Type": "application/json", Connection: "close" });
  response.end(JSON.stringify({ detail: "header.expect: must be 100-continue" }));
}
