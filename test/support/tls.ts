/**
 * TLS before Redis, as a managed one has it: a certificate for a name, signed by an authority that only they trust who
 * were given it. The Redis that the tests run has none, so a small proxy before each node speaks it.
 */
import { createConnection, type Socket } from "node:net";
import { createServer } from "node:tls";
import { generate } from "selfsigned";

const HOST = "127.0.0.1";

export interface Authority {
  /** PEM, for `REDIS_CA_FILE`. */
  ca: string;
  /** Of `localhost`. */
  key: string;
  cert: string;
}

export async function createAuthority(): Promise<Authority> {
  const authority = await generate([{ name: "commonName", value: "Test authority" }], {
    extensions: [{ name: "basicConstraints", cA: true, critical: true }],
  });
  const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }], {
    ca: { key: authority.private, cert: authority.cert },
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
  });
  return { ca: authority.cert, key, cert };
}

export interface TlsProxy {
  /** On `localhost`. */
  port: number;
  stop(): Promise<void>;
}

/** @param target the port of a Redis on this machine, asked for each connection: it may not have started yet */
export async function startTlsProxy({ key, cert }: Authority, target: () => number): Promise<TlsProxy> {
  const sockets = new Set<Socket>();
  const server = createServer({ key, cert }, (client) => {
    const redis = createConnection(target(), HOST);
    client.pipe(redis).pipe(client);
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as [Socket, Socket][]) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, HOST, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    port: address.port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
