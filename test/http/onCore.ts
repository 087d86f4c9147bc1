/** A server on the real core, with all that reads and writes threads, for tests that play its worker. */
import { Client } from "@langchain/langgraph-sdk";
import { type Checkpointer, createCheckpointer } from "../../app/data/checkpoints/checkpointer.js";
import { Copies } from "../../app/data/copies.js";
import { StateDrafts } from "../../app/data/stateDrafts.js";
import { ThreadStorage } from "../../app/data/storage.js";
import { ThreadSearch } from "../../app/data/threads/search.js";
import { Threads } from "../../app/data/threads.js";
import type { Graph } from "../../app/graphs/load.js";
import { ours } from "../support/checkpoints.js";
import { type Core, startCore } from "../support/core.js";
import { type Started, startServer } from "./support.js";

export interface OnCore {
  core: Core;
  saver: Checkpointer;
  at: Started;
  client: Client;
  stop(): Promise<void>;
}

/** @param graphs compiled ones, by id */
export async function startOnCore(graphs: Record<string, unknown>): Promise<OnCore> {
  const core = await startCore();
  const saver = createCheckpointer(ours, core);
  const { runs, redis, removals, keys } = core;
  const data = {
    threads: new Threads(redis, keys),
    threadSearch: new ThreadSearch(redis, keys),
    copies: new Copies(core),
    storage: new ThreadStorage(redis, keys),
    drafts: new StateDrafts({ redis, keys, langgraph: ours }),
  };
  const at = await startServer({
    core: { runs, redis, removals, ...data },
    graphs: graphs as Record<string, Graph>,
    checkpointer: saver,
  });
  return {
    ...{ core, saver, at, client: new Client({ apiUrl: at.url, apiKey: null }) },
    async stop() {
      await at.close();
      await core.stop();
    },
  };
}
