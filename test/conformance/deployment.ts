/** The topologies that the suite is run against, as clients reach them. */
import { fileURLToPath } from "node:url";
import { Client } from "@langchain/langgraph-sdk";
import { startTcpProxy, type TcpProxy } from "../support/tcpProxy.js";
import { type Topology, topology } from "../support/topology.js";
import type { Target } from "./cases.js";
import { watched } from "./js/methods.js";
import { type Call, startRecorder } from "./recorder.js";

/** `one`: a server and a worker. `many`: three servers and two workers behind the load balancer. */
export type Size = "one" | "many";

export interface Deployment {
  size: Size;
  topology: Topology;
  /** A way in of its own, which writes down what was called. */
  enter(): Promise<Entry>;
  stop(): Promise<void>;
}

export interface Entry extends Target {
  calls: Call[];
  /** Of the JavaScript SDK: those that `client` was asked for. */
  methods: ReadonlySet<string>;
  leave(): Promise<void>;
}

const config = fileURLToPath(new URL("project/langgraph.json", import.meta.url));

/** What a user's settings may change, as the suite needs it. */
const environment = { SSE_HEARTBEAT_MS: "1000", TRUNCATE_ROUTE: "true" };

/** @param build the folder of the build; the one that vitest's files share without it */
export async function deploy(size: Size, build?: string): Promise<Deployment> {
  const counts = size === "one" ? { servers: 1, workers: 1 } : { servers: 3, workers: 2 };
  const all = await topology({ ...counts, config, environment, ...(build !== undefined && { build }) });
  const entries: Entry[] = [];

  const enter = async (): Promise<Entry> => {
    const [first] = all.servers;
    if (!first) throw new Error("a topology has a server");
    const recorder = await startRecorder(size === "one" ? first.url : all.url);
    const proxies: TcpProxy[] = [];
    const methods = new Set<string>();
    const entry: Entry = {
      url: recorder.url,
      client: watched(new Client({ apiUrl: recorder.url, apiKey: null }), methods),
      methods,
      calls: recorder.calls,
      async shaky() {
        const proxy = await startTcpProxy({ host: "127.0.0.1", port: recorder.port });
        proxies.push(proxy);
        const url = `http://127.0.0.1:${proxy.port}`;
        return { url, client: new Client({ apiUrl: url, apiKey: null }), cut: () => proxy.cut() };
      },
      ...(size === "many" && { killServerOf: (runId: string) => replace(all, recorder.serverOf(runId)) }),
      async leave() {
        for (const proxy of proxies) await proxy.stop();
        await recorder.stop();
      },
    };
    entries.push(entry);
    return entry;
  };
  return {
    ...{ size, topology: all, enter },
    async stop() {
      for (const entry of entries) await entry.leave();
      await all.stop();
    },
  };
}

/** Another server first, so that there are never fewer than the topology has. */
async function replace(all: Topology, name: string): Promise<void> {
  const victim = all.servers.find((server) => server.name === name);
  if (!victim) throw new Error(`there is no server ${name}`);
  const successor = await all.startServer();
  all.balancer.addTarget(successor.name, successor.port);
  await victim.end("SIGKILL");
  all.balancer.removeTarget(name);
}
