import { Annotation } from "@langchain/langgraph";

export enum Step {
  Ask = "ask",
  Count = "increase",
}

export const State = Annotation.Root({
  count: Annotation<number>({ reducer: (_, next) => next, default: () => 0 }),
  answer: Annotation<string>,
});
