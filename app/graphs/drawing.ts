/** A graph's picture: nodes and edges, as user interfaces draw it. */
import type { Graph } from "./graph.js";

/** @param xray subgraphs drawn within: all, none, or so many levels of them */
export async function drawGraph(graph: Graph, xray: boolean | number): Promise<unknown> {
  const drawing = await graph.getGraphAsync({ xray });
  return drawing.toJSON();
}
