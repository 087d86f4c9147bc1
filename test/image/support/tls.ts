/** TLS as ElastiCache speaks it, before a Redis that has none: a certificate for a name, signed by an authority. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { generate } from "selfsigned";

export interface TlsProxy {
  /** `rediss://localhost:<port>`. */
  url: string;
  /** PEM of the authority. */
  caFile: string;
  stop(): Promise<void>;
}

/** @param port of the Redis on this machine */
export async function startTlsProxy(port: number): Promise<TlsProxy> {
  const authority = await generate([{ name: "commonName", value: "Test authority" }], {
    extensions: [{ name: "basicConstraints", cA: true, critical: true }],
  });
  const certificate = await generate([{ name: "commonName", value: "localhost" }], {
    ca: { key: authority.private, cert: authority.cert },
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }],
  });
  const folder = await mkdtemp(join(tmpdir(), "switchyard-ca-"));
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, authority.cert);

  const sockets = new Set<{ destroy(): void }>();
  const server = createServer({ key: certificate.private, cert: certificate.cert }, (client) => {
    const redis = connect(port, "127.0.0.1");
    client.pipe(redis).pipe(client);
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return {
    url: `rediss://localhost:${(server.address() as AddressInfo).port}`,
    caFile,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}
