import { Annotation, END, getStore, START, StateGraph } from "@langchain/langgraph";

/** Counts its runs, whatever their threads, in the store that it is handed. */
export const graph = new StateGraph(Annotation.Root({ runs: Annotation() }))
  .addNode("count", async (_, config) => {
    const { value } = (await getStore(config).get(["runs"], "all")) ?? { value: { runs: 0 } };
    await config.store.put(["runs"], "all", { runs: value.runs + 1 });
    return { runs: value.runs };
  })
  .addEdge(START, "count")
  .addEdge("count", END)
  .compile();
