/** The same state in either version of zod. */
import { interrupt, START, StateGraph } from "@langchain/langgraph";
import * as four from "zod";
import * as three from "zod/v3";

const counting = ({ z }) =>
  new StateGraph(z.object({ count: z.number() }))
    .addNode("add", ({ count }) => ({ count: count + interrupt("how many more?") }))
    .addEdge(START, "add")
    .compile();

export const zod3 = counting(three);
export const zod4 = counting(four);
