/** What `graph.stream` is given for a run: its input, and the configuration that carries the run's identity. */
import { writtenBy } from "../data/checkpoints/checkpointer.js";
import type { GraphDefaults } from "../graphs/config.js";
import { type Runtime, toCommand } from "../graphs/load.js";
import type { ClaimedRun } from "../runs/types.js";

/** The run's input, or its command. */
export function graphInput(run: ClaimedRun, runtime: Runtime): unknown {
  const { command, input } = run.payload;
  return command ? toCommand(command, runtime) : (input ?? null);
}

/**
 * `configurable` and `metadata` tell graphs and traces which run this is; the checkpoint saver writes in the name of the
 * attempt that `configurable` holds, and is refused once another one owns the run.
 * @param defaults of its graph
 */
export function runConfig(run: ClaimedRun, defaults?: GraphDefaults) {
  const { checkpoint, strict_resume: strictResume } = run.payload;
  const config = { ...defaults?.config, ...run.payload.config };
  const { recursion_limit: recursionLimit, max_concurrency: maxConcurrency, tags } = config;
  const context = contextOf(run.payload.context, defaults?.context);
  const identity = {
    run_id: run.runId,
    thread_id: run.threadId,
    assistant_id: run.assistantId,
    graph_id: run.graphId,
  };
  return {
    runId: run.runId,
    runName: run.graphId,
    ...(tags && { tags }),
    ...(recursionLimit !== undefined && { recursionLimit }),
    ...(maxConcurrency !== undefined && { maxConcurrency }),
    ...(context !== undefined && context !== null && { context }),
    metadata: { ...defaults?.config.metadata, ...config.metadata, ...run.metadata, ...identity },
    configurable: {
      ...withoutInternals({ ...defaults?.config.configurable, ...config.configurable }),
      ...withoutInternals(checkpoint ?? {}),
      ...identity,
      // LangGraph's own name for it, where the project's version knows it.
      ...(strictResume && { __pregel_strict_resume: true }),
      ...writtenBy(run),
    },
  };
}

function contextOf(given: unknown, defaults: Record<string, unknown> | undefined): unknown {
  if (defaults === undefined) return given;
  return typeof given === "object" ? { ...defaults, ...given } : (given ?? defaults);
}

export type RunConfig = ReturnType<typeof runConfig>;

/** For going on where the run is, wherever it began. */
export function atNewest(config: RunConfig): RunConfig {
  const began = ["checkpoint_id", "checkpoint_ns", "checkpoint_map"];
  const configurable = Object.entries(config.configurable).filter(([name]) => !began.includes(name));
  return { ...config, configurable: Object.fromEntries(configurable) as RunConfig["configurable"] };
}

/** Names that begin so are LangGraph's and ours: a client that set one could put another checkpointer under its run. */
function withoutInternals(configurable: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(configurable).filter(([name]) => !name.startsWith("__")));
}
