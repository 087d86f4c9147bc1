/** What the bundled agents share: their state is a conversation, `{messages: [{role, content}]}`. */
import { BaseMessage } from "@langchain/core/messages";
import { Annotation, type Messages, messagesStateReducer } from "@langchain/langgraph";

/** LangGraph's `MessagesAnnotation`, with a sentence for the caller where a message has the wrong shape. */
export const Conversation = Annotation.Root({
  messages: Annotation<BaseMessage[], Messages>({
    reducer: (known, added) => messagesStateReducer(known, checked(added)),
    default: () => [],
  }),
});

/** The text of the conversation's last message. @throws a sentence if there is none */
export function lastText(messages: BaseMessage[]): string {
  const text = messages.at(-1)?.text.trim();
  if (!text) throw new Error('there is no message to answer; send {"messages": [{"role": "user", "content": "…"}]}');
  return text;
}

function checked(added: Messages): Messages {
  const wrong = (Array.isArray(added) ? added : [added]).findIndex((message) => !isMessageLike(message));
  if (wrong === -1) return added;
  throw new Error(
    `messages[${wrong}] must be {"role": "user", "content": "…"} (or the role assistant, system or tool)`,
  );
}

function isMessageLike(message: unknown): boolean {
  if (typeof message === "string" || Array.isArray(message) || BaseMessage.isInstance(message)) return true;
  if (typeof message !== "object" || message === null) return false;
  // What a client writes into the state to take a message out of it.
  if ("type" in message && message.type === "remove" && "id" in message) return typeof message.id === "string";
  if (!("content" in message)) return false;
  return (
    ("role" in message && typeof message.role === "string") || ("type" in message && typeof message.type === "string")
  );
}
