/**
 * The local stand-in for the ALB: it picks a server for each request, not for each client or connection, so that a
 * laptop shows at once what relies on a sticky session.
 *
 * Bytes pass as they come, in both directions: SSE is not buffered, a client's abort reaches the server, and a stream
 * that a server cuts is cut for the client too, because a clean end would tell the SDK that it is complete.
 */
import { Agent, type ClientRequestArgs, createServer, type IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createProxyServer } from "httpxy";
import { StartFailure } from "./failure.js";
import { HOST, type Target, Targets } from "./targets.js";

export interface LoadBalancer {
  /** Takes the port (0: any free one) and returns it. @throws StartFailure 2 when it is taken or not allowed */
  listen(port: number): Promise<number>;
  /** Sends requests to this server from now on, as long as it is healthy. */
  addTarget(name: string, port: number): void;
  removeTarget(name: string): void;
  /** Refuses new connections; requests under way go on. */
  stopAccepting(): void;
  /** Cuts what is left. */
  close(): Promise<void>;
}

/** A client may keep its connection this long between requests; longer than clients' own limits, so that they end it. */
const CLIENT_KEEP_ALIVE_MS = 75_000;

/** @param changed called when a server is taken out or comes back */
export function createLoadBalancer(changed: (name: string, healthy: boolean) => void): LoadBalancer {
  const targets = new Targets((target, healthy) => changed(target.name, healthy));
  const agent = new UpstreamAgent(targets);
  const proxy = createProxyServer({ xfwd: true, agent });
  const server = createServer({ keepAliveTimeout: CLIENT_KEEP_ALIVE_MS });
  const sockets = new Set<Socket>();
  const retried = new WeakSet<IncomingMessage>();
  /** Failures come by the `error` event; the promise repeats some, such as that a client went away. */
  const heard = () => {};

  const forward = (request: IncomingMessage, response: ServerResponse) => {
    const target = targets.next();
    if (!target) return refuse(response, 503, "no server is healthy right now");
    // Whether the client keeps its connection is between it and us.
    proxy.web(request, response, { target: address(target), headers: { connection: "keep-alive" } }).catch(heard);
  };

  proxy.on("proxyRes", (upstream, _request, response) => {
    delete upstream.headers.connection;
    delete upstream.headers["keep-alive"];
    // A stream's headers must not wait for its first event; an answer that is there already goes in one packet.
    setImmediate(() => {
      if (!response.headersSent && !response.destroyed) response.flushHeaders();
    });
  });
  proxy.on("error", (error, request, answer) => {
    if (answer instanceof ServerResponse) {
      if (answer.destroyed || answer.headersSent || !request) return;
      if (request.method === "GET" && !retried.has(request)) {
        retried.add(request);
        return forward(request, answer);
      }
    }
    if (error instanceof AllRefused) refuse(answer, 503, "no server accepts connections right now");
    else refuse(answer, 502, "the server ended before it answered");
  });

  server.on("request", forward);
  server.on("upgrade", (request, socket: Socket, head) => {
    const target = targets.next();
    if (!target) return refuse(socket, 503, "no server is healthy right now");
    proxy.ws(request, socket, { target: address(target) }, head).catch(heard);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });

  return {
    listen: async (port) => await listen(server, port),
    addTarget: (name, port) => targets.set(name, port),
    removeTarget: (name) => targets.remove(name),
    stopAccepting() {
      server.close();
      server.closeIdleConnections();
    },
    async close() {
      targets.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
      agent.destroy();
    },
  };
}

class AllRefused extends Error {}

/**
 * Opens and keeps the connections to the servers. A server that refuses a connection has seen no byte, so the request,
 * whatever its method, goes to the next one; here, before the body is touched, nothing has to be kept for a replay.
 */
class UpstreamAgent extends Agent {
  private readonly elsewhere = new WeakSet<Duplex>();

  constructor(private readonly targets: Targets) {
    super({ keepAlive: true, maxFreeSockets: 256 });
  }

  override createConnection(
    options: ClientRequestArgs,
    created?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const wanted = Number(options.port);
    const tried = new Set<number>();
    const attempt = (port: number) => {
      tried.add(port);
      const socket = connect({ host: HOST, port, noDelay: true, keepAlive: true });
      const refused = () => {
        this.targets.eject(port);
        const other = this.targets.next(tried);
        if (other) attempt(other.port);
        else created?.(new AllRefused(`${[...tried].join(", ")} refused`), socket);
      };
      socket.once("error", refused);
      socket.once("connect", () => {
        socket.off("error", refused);
        if (port !== wanted) this.elsewhere.add(socket);
        created?.(null, socket);
      });
    };
    attempt(wanted);
    return undefined;
  }

  /**
   * The pool is by the server that was wanted: a connection to another one is used once.
   * (Node's own returns whether to keep the socket, whatever its type says.)
   */
  override keepSocketAlive(socket: Duplex): boolean {
    return !this.elsewhere.has(socket) && Boolean(super.keepSocketAlive(socket));
  }
}

function address(target: Target): string {
  return `http://${HOST}:${target.port}`;
}

/** Answers in the form of the API's own refusals. */
function refuse(answer: ServerResponse | Socket | undefined, status: 502 | 503, detail: string): void {
  const body = JSON.stringify({ detail });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body), "retry-after": "1" };
  if (answer instanceof ServerResponse) answer.writeHead(status, headers).end(body);
  else if (answer && !answer.destroyed) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const reason = status === 503 ? "Service Unavailable" : "Bad Gateway";
    answer.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join("")}connection: close\r\n\r\n${body}`);
  }
}

async function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE")
        return reject(new StartFailure(2, `Port ${port} is taken. Choose another: npm start -- --port ${port + 1}`));
      reject(new StartFailure(2, `Port ${port} can't be used (${error.code}). Choose another with --port`));
    });
    server.listen(port, HOST, resolve);
  });
  const bound = server.address();
  return typeof bound === "object" && bound ? bound.port : port;
}
