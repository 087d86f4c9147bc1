import { entrypoint, interrupt, task } from "@langchain/langgraph";

const increase = task("increase", async (count) => count + 1);

export const workflow = entrypoint("workflow", async ({ count }) => {
  const next = await increase(count);
  return { count: next, answer: interrupt({ question: `is ${next} right?` }) };
});
