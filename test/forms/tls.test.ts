/** Redis as it is deployed: TLS by an authority of its own, a user with a password and few rights; in each form. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { asApp } from "../support/acl.js";
import { startCluster } from "../support/cluster.js";
import { startRedis } from "../support/redis.js";
import { ask, type Chunk, collectChunks } from "../support/sdk.js";
import { type Authority, createAuthority, startTlsProxy, type TlsProxy } from "../support/tls.js";
import { type Topology, topology } from "../support/topology.js";

let folder: string;
let authority: Authority;
let environment: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "switchyard-tls-"));
  authority = await createAuthority();
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, authority.ca);
  // The login apart from the address, as infra gives it.
  environment = { REDIS_USERNAME: "app", REDIS_PASSWORD: "app-password", REDIS_CA_FILE: caFile };
});
afterAll(() => rm(folder, { recursive: true }));

const secured = (port: number) => `rediss://localhost:${port}`;

/** Runs go through, are streamed, and what was written is there. */
async function works(all: Topology): Promise<void> {
  const { thread_id } = await all.client.threads.create();
  const stream = all.client.runs.stream(thread_id, "echo", { input: ask("over TLS") });
  const chunks = await collectChunks(stream as AsyncIterable<Chunk>);
  expect(chunks.map(({ id }) => id)).toEqual(chunks.map((_, at) => `1-${at}`));
  expect(JSON.stringify((await all.client.threads.getState(thread_id)).values)).toContain("over TLS");
  // On every partition.
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => all.client.runs.wait(null, "echo", { input: ask("hello") })),
  );
  for (const answer of answers) expect(answer).toHaveProperty("messages");
}

test("standalone", { timeout: 60_000 }, async () => {
  const redis = await startRedis();
  await asApp(redis.url);
  const proxy = await startTlsProxy(authority, () => redis.port);
  const stop = async () => {
    await proxy.stop();
    await redis.stop();
  };
  const given = { ...environment, REDIS_URL: secured(proxy.port) };
  const all = await topology({ servers: 2, workers: 1, environment: given, redis: { url: redis.url, stop } });
  try {
    await works(all);
    await Promise.all([
      expect(all.startServer({ REDIS_CA_FILE: "" })).rejects.toThrow(/does not answer .*certificate/),
      expect(all.startServer({ REDIS_PASSWORD: "wrong" })).rejects.toThrow(/does not answer .*WRONGPASS/),
    ]);
  } finally {
    await all.stop();
  }
});

test("cluster: what its nodes call themselves leads through TLS as well", { timeout: 60_000 }, async () => {
  const ports: number[] = [];
  const proxies: TlsProxy[] = await Promise.all([0, 1, 2].map((at) => startTlsProxy(authority, () => ports[at] ?? 0)));
  const cluster = await startCluster({
    argsOf: (at) => [
      ...["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"],
      ...["--cluster-announce-port", String(proxies[at]?.port)],
    ],
  });
  for (const { at, port } of cluster.nodes) ports[at] = port;
  const stop = async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await cluster.stop();
  };
  const given = { ...environment, REDIS_URL: secured(proxies[0]?.port ?? 0), REDIS_CLUSTER: "true" };
  const all = await topology({ servers: 2, workers: 1, environment: given, redis: { url: cluster.url, stop } });
  try {
    await works(all);
    // No client went past the proxies: on each node all are the tests' own.
    for (const { admin } of cluster.nodes) expect(await admin.dbsize()).toBeGreaterThan(0);
  } finally {
    await all.stop();
  }
});
