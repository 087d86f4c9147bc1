/** A chat model that needs no key: it says a given text, token by token, at a pace one can watch. */
import { setTimeout as delay } from "node:timers/promises";
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk, type BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";

export interface PacedModelFields {
  tokens: string[];
  /** Milliseconds before each token. */
  paceMs: number;
}

export class PacedModel extends BaseChatModel {
  readonly #fields: PacedModelFields;

  constructor(fields: PacedModelFields) {
    super({});
    this.#fields = fields;
  }

  override _llmType() {
    return "paced";
  }

  override async *_streamResponseChunks(
    _messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    for (const token of this.#fields.tokens) {
      // Rejects at once when the run is cancelled.
      await delay(this.#fields.paceMs, undefined, options.signal ? { signal: options.signal } : {});
      const chunk = new ChatGenerationChunk({ text: token, message: new AIMessageChunk({ content: token }) });
      yield chunk;
      await run?.handleLLMNewToken(token, undefined, undefined, undefined, undefined, { chunk });
    }
  }

  override async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    run?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    const chunks: ChatGenerationChunk[] = [];
    for await (const chunk of this._streamResponseChunks(messages, options, run)) chunks.push(chunk);
    const text = chunks.map((chunk) => chunk.text).join("");
    return { generations: [{ text, message: new AIMessage({ content: text }) }] };
  }
}
