/**
 * An HTTP proxy before a topology that writes down which operations were called, and which server answered a run. Bytes
 * pass as they come; what ends one side ends the other in the same way.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";

export interface Call {
  method: string;
  /** Without the query. */
  path: string;
  status: number;
}

export interface Recorder {
  url: string;
  port: number;
  calls: Call[];
  /** The name of the server that answered the run's newest stream. @throws where there was none */
  serverOf(runId: string): string;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";

/** @param target of the topology */
export async function startRecorder(target: string): Promise<Recorder> {
  const to = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const calls: Call[] = [];
  const servers = new Map<string, string>();

  const note = (asked: IncomingMessage, answer: IncomingMessage) => {
    calls.push({ method: asked.method ?? "", path: pathOf(asked), status: answer.statusCode ?? 0 });
    const run = /runs\/([^/]+)$/.exec(String(answer.headers["content-location"] ?? ""))?.[1];
    const server = answer.headers["x-served-by"];
    if (run && typeof server === "string") servers.set(run, server);
  };
  const forward = (asked: IncomingMessage, response: ServerResponse) => {
    const { hostname, port } = to;
    const { url: path, method, headers } = asked;
    const upstream = request({ agent, hostname, port, path, method, headers });
    upstream.on("response", (answer) => {
      note(asked, answer);
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    upstream.on("error", () => response.destroy());
    response.on("close", () => upstream.destroy());
    asked.pipe(upstream);
  };

  const server = createServer(forward);
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the recorder has no port");
  return {
    url: `http://${HOST}:${address.port}`,
    port: address.port,
    calls,
    serverOf(runId) {
      const name = servers.get(runId);
      if (!name) throw new Error(`no server has answered run ${runId}`);
      return name;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}

const pathOf = ({ url = "/" }: IncomingMessage): string => url.split("?")[0] ?? url;
