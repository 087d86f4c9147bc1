/** What programs in other languages ask of the suite: a way in that can be cut, a cut, a killed server. */
import { createServer, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import type { Shaky, Target } from "./cases.js";
import { isRecord } from "./shape.js";

export interface Control {
  url: string;
  stop(): Promise<void>;
}

export async function startControl(target: Target): Promise<Control> {
  const ways: Shaky[] = [];
  const act = async (action: string, { way, run }: Record<string, unknown>): Promise<object> => {
    if (action === "shaky") {
      const shaky = await target.shaky();
      return { url: shaky.url, way: ways.push(shaky) - 1 };
    }
    if (action === "cut") ways[Number(way)]?.cut();
    else if (action === "kill") await target.killServerOf?.(String(run));
    else throw new Error(`no action ${action}`);
    return {};
  };
  const server = createServer();
  server.on("request", async (request: IncomingMessage, response) => {
    try {
      const body: unknown = await json(request);
      response.end(JSON.stringify(await act((request.url ?? "").slice(1), isRecord(body) ? body : {})));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the control has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
