/**
 * What a graph streams, as the events that clients know (the run streams of the Agent Server API): the name is the
 * stream mode, with `|<namespace>` for a subgraph's; the data is JSON.
 */
import { isRecord, toEventData } from "../graphs/eventData.js";
import type { GraphEvent } from "../graphs/graph.js";
import { toJson } from "../graphs/serialize.js";
import type { NewEvent } from "../runs/attempts.js";
import { withInterrupts } from "./outcome.js";

/** Modes of clients that `graph.stream` has under the same name; `messages-tuple` and `messages` are both its `messages`. */
const OWN_MODES = ["values", "updates", "custom", "debug", "tasks", "checkpoints", "tools"];

/** LangGraph's tag of steps that are its own. */
const HIDDEN = "langsmith:hidden";

/** A chat message or a chunk of one, as far as this file looks into it. */
interface Message {
  id?: string;
  concat?: (chunk: Message) => Message;
}

export class StreamEvents {
  readonly #modes: Set<string>;
  readonly #messages = new Map<string, Message>();
  #valuesJson: string | undefined;
  #interrupts: unknown[] | undefined;

  constructor(
    streamModes: string[],
    private readonly subgraphs: boolean,
  ) {
    this.#modes = new Set(streamModes);
  }

  /** The modes to ask the graph for: what the client wants, and `values`, which the run's answer is made of. */
  get graphModes(): string[] {
    const modes = new Set(["values", ...OWN_MODES.filter((mode) => this.#modes.has(mode))]);
    if (this.#modes.has("messages") || this.#modes.has("messages-tuple")) modes.add("messages");
    return [...modes];
  }

  get wantsEvents(): boolean {
    return this.#modes.has("events");
  }

  /** What wait and join answer; undefined when no values came. */
  get answer(): string | undefined {
    if (this.#valuesJson === undefined && this.#interrupts === undefined) return undefined;
    return withInterrupts(this.#valuesJson ?? "{}", this.#interrupts && toJson(this.#interrupts));
  }

  /** @param namespace of the graph that streamed it; empty for the root */
  convert(namespace: string[], mode: string, chunk: unknown): NewEvent[] {
    if (namespace.length > 0 && !this.subgraphs) return [];
    const graph = mode === "messages" ? withoutNode(namespace, chunk) : namespace;
    // A line break in a node's name would end the event's line on the way.
    const named = (name: string) => [name, ...graph].join("|").replace(/[\r\n]/g, " ");
    if (mode === "messages") return this.#message(chunk, named);
    if (mode === "checkpoints" && isEnvelope(chunk)) return [];
    const data = mode === "values" && namespace.length === 0 ? this.#state(chunk) : toJson(toEventData(mode, chunk));
    return this.#modes.has(mode) ? [{ event: named(mode), data }] : [];
  }

  /** One of `streamEvents`, as it is, unless it is tagged to be seen by nobody. */
  event(event: Pick<GraphEvent, "tags">): NewEvent[] {
    if (event.tags?.includes(HIDDEN)) return [];
    return [{ event: "events", data: toJson(toEventData("events", event)) }];
  }

  /**
   * A graph tells of its interrupts by chunks of `values` that hold nothing else, one for each task that waits. A client
   * that takes the latest `values` for the state gets the state, with all of them.
   */
  #state(chunk: unknown): string {
    if (!isRecord(chunk) || !("__interrupt__" in chunk)) {
      this.#valuesJson = toJson(chunk);
      return this.#valuesJson;
    }
    const { __interrupt__: interrupts, ...values } = chunk;
    if (Object.keys(values).length > 0) this.#valuesJson = toJson(values);
    this.#interrupts = [...(this.#interrupts ?? []), ...(Array.isArray(interrupts) ? interrupts : [])];
    return this.answer ?? "{}";
  }

  #message(chunk: unknown, named: (name: string) => string): NewEvent[] {
    const [message, metadata] = toEventData("messages", chunk) as [Message, unknown];
    const events: NewEvent[] = [];
    if (this.#modes.has("messages-tuple")) events.push({ event: named("messages"), data: toJson([message, metadata]) });
    if (!this.#modes.has("messages") || message.id === undefined) return events;

    const known = this.#messages.get(message.id);
    const whole = known?.concat && message.concat ? known.concat(message) : message;
    this.#messages.set(message.id, whole);
    if (!known) events.push({ event: named("messages/metadata"), data: toJson({ [message.id]: { metadata } }) });
    events.push({ event: named(message.concat ? "messages/partial" : "messages/complete"), data: toJson([whole]) });
    return events;
  }
}

/** LangGraph 1.4 names the node that a message is of as if it were a subgraph. */
function withoutNode(namespace: string[], chunk: unknown): string[] {
  const metadata = Array.isArray(chunk) ? chunk[1] : undefined;
  const isNode = isRecord(metadata) && metadata.langgraph_checkpoint_ns === namespace.join("|");
  return isNode ? namespace.slice(0, -1) : namespace;
}

/** LangGraph announces each state by the identity of its checkpoint where events are streamed; clients ask for the whole. */
function isEnvelope(chunk: unknown): boolean {
  return isRecord(chunk) && !("config" in chunk);
}
