/**
 * Drafts a reply, then waits until a human has said what to do with it. The thread can wait for days and be resumed
 * through any server: nothing of it lives in a process.
 *
 *   {"command": {"resume": {"type": "accept"}}}                  sends the draft
 *   {"command": {"resume": {"type": "edit", "draft": "…"}}}      sends that text instead
 *   {"command": {"resume": {"type": "reject", "reason": "…"}}}   sends nothing; `reason` may be left out
 *
 * "accept" and "reject" may also be given as bare texts. Any other answer is asked for again, with the problem named: to
 * fail would leave the answer stored with the thread, and every later one would fail on it.
 */
import { AIMessage } from "@langchain/core/messages";
import { Annotation, Command, END, interrupt, START, StateGraph } from "@langchain/langgraph";
import { Conversation, lastText } from "./messages.js";

interface Question {
  action: "send_reply";
  draft: string;
  /** Why the last answer could not be used. */
  problem?: string;
}

type Decision = { type: "accept" } | { type: "edit"; draft: string } | { type: "reject"; reason?: string };

const State = Annotation.Root({ ...Conversation.spec, draft: Annotation<string> });

function compose({ messages }: typeof State.State) {
  return { draft: `Thank you for your message. About “${lastText(messages)}”: we have looked into it and agree.` };
}

function review(state: typeof State.State) {
  const decision = ask({ action: "send_reply", draft: state.draft });
  if (decision.type === "reject") {
    const because = decision.reason ? `: ${decision.reason}` : ".";
    return new Command({ goto: END, update: { messages: [new AIMessage(`Nothing was sent${because}`)] } });
  }
  return new Command({ goto: "send", update: decision.type === "edit" ? { draft: decision.draft } : {} });
}

function ask(question: Question): Decision {
  const answer: unknown = interrupt(question);
  const decision = typeof answer === "string" ? { type: answer } : answer;
  if (typeof decision === "object" && decision !== null && "type" in decision) {
    if (decision.type === "accept") return { type: "accept" };
    if (decision.type === "edit" && "draft" in decision && typeof decision.draft === "string")
      return { type: "edit", draft: decision.draft };
    if (decision.type === "reject")
      return { type: "reject", ...("reason" in decision && { reason: String(decision.reason) }) };
  }
  const problem = 'answer {"type": "accept"}, {"type": "edit", "draft": "…"} or {"type": "reject", "reason": "…"}';
  return ask({ ...question, problem });
}

function send(state: typeof State.State) {
  return { messages: [new AIMessage(`Sent: ${state.draft}`)] };
}

export const graph = new StateGraph(State)
  .addNode("compose", compose)
  .addNode("review", review, { ends: ["send", END] })
  .addNode("send", send)
  .addEdge(START, "compose")
  .addEdge("compose", "review")
  .addEdge("send", END)
  .compile();
