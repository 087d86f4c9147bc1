/** An agent of `langchain`, whose model asks for its tool once and then says what it was told. */
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage } from "@langchain/core/messages";
import { createAgent, humanInTheLoopMiddleware, tool } from "langchain";
import { z } from "zod";

class Scripted extends BaseChatModel {
  constructor() {
    super({});
  }

  _llmType() {
    return "scripted";
  }

  bindTools() {
    return this;
  }

  async _generate(messages) {
    const last = messages.at(-1);
    const message =
      last.getType() === "tool"
        ? new AIMessage(`I was told: ${last.text}`)
        : new AIMessage({ content: "", tool_calls: [{ name: "weather", args: { city: last.text }, id: "call-1" }] });
    return { generations: [{ text: message.text, message }] };
  }
}

const weather = tool(({ city }) => `sun in ${city}`, {
  name: "weather",
  description: "What the weather is like.",
  schema: z.object({ city: z.string() }),
});

export const agent = createAgent({
  model: new Scripted(),
  tools: [weather],
  middleware: [humanInTheLoopMiddleware({ interruptOn: { weather: true } })],
});
