/**
 * A run's metadata goes with each checkpoint that it stores, so a history tells which run did what, and can be asked for
 * it (`metadata` of `POST …/history`). LangGraph copies the plain values of `configurable` into the metadata of a
 * configuration, and providers' keys may be among them: of those only the ids of the run are stored.
 */
import type { BaseCheckpointSaver, CheckpointMetadata } from "@langchain/langgraph-checkpoint";

type Config = Parameters<BaseCheckpointSaver["put"]>[0];

const IDS = ["run_id", "assistant_id", "graph_id"];

/** LangGraph's own: the thread, which it gives back by itself, and where in its parent a subgraph runs. */
const ITS_OWN = /^(thread_id$|__|checkpoint_|langgraph_|ls_)/;

/** @param own what LangGraph says of the checkpoint */
export function withMetadataOfRun({ configurable = {}, metadata = {} }: Config, own: CheckpointMetadata) {
  const ofRun = Object.entries(metadata).filter(
    ([name]) => IDS.includes(name) || !(name in configurable || ITS_OWN.test(name)),
  );
  return { ...Object.fromEntries(ofRun), ...own };
}
