/** Of streams, and of messages. */
import { type Intended, STREAM } from "./entry.js";

export const streams: Intended[] = [
  {
    path: "events.end",
    development: "nothing",
    because: "a stream that ends says so: one that was cut can be told from it",
    source: "contract, Streams",
  },
  {
    operations: ["POST /runs/stream"],
    path: "events.ids",
    development: '"none"',
    ours: '"all"',
    because: "every stream can be resumed",
    source: "contract, Streams",
  },
  {
    operations: [STREAM],
    path: "events.values.data.steps",
    development: "nothing",
    because: "a values event is the whole state, with __interrupt__ in it; the development server sends that alone",
    source: "reference §2.8: values",
  },
  {
    path: "**messages.*.id",
    development: '"run-<id>"',
    ours: '"<id>"',
    because:
      "LangChain names a model's message after its call where something listens to the call, else LangGraph names it; " +
      "the development server always listens, which costs twice as much",
    source: "reference of libraries, trap 13",
  },
  {
    path: "events.**messages.*.tool_call_chunks",
    development: "[]",
    ours: "nothing",
    because: "a message of a model that nobody listens to is no chunk",
    source: "reference of libraries, trap 13",
  },
  {
    operations: [STREAM],
    path: "events.checkpoints**",
    development: '"an event"',
    ours: "nothing",
    because: "checkpoints come where they are asked for; the development server also sends its own envelopes of them",
    source: "reference §2.8",
  },
  ...["checkpoint", "config", "parent_checkpoint", "parent_config", "tasks"].map((field) => ({
    operations: [STREAM],
    path: `events.checkpoints**.data.${field}`,
    development: "nothing",
    because: "the payload of a debug event, whole; the development server sends three fields of it",
    source: "reference §2.8: payload without the debug wrapper",
  })),
  {
    operations: [STREAM],
    path: "events.debug**.data.payload.parent_config",
    development: "nothing",
    ours: "null",
    because: "the first checkpoint has no parent, and says so",
    source: "reference §2.8",
  },
  {
    operations: [STREAM],
    path: "events.messages/complete",
    development: '"an event"',
    ours: "nothing",
    because:
      "complete messages are of nodes' output that was not streamed; the development server sends each message of the " +
      "state, the input's too, and what was streamed a second time",
    source: "reference §2.8: messages/complete, from node output not yet seen",
  },
  {
    operations: [STREAM],
    about: ["messages and values"],
    path: "events.values",
    because: "a message comes when its node has said it, before the values of that step; nobody promises this order",
    source: "reference §2.8: messages",
  },
  {
    operations: [STREAM],
    path: "events.messages/metadata",
    development: "nothing",
    ours: '"an event"',
    because: "each message has its metadata, also one that comes whole",
    source: "reference §2.8: messages/metadata, once per message id",
  },
  {
    operations: [STREAM],
    path: "events.messages/metadata.data.*.metadata.tags",
    development: "nothing",
    ours: "[]",
    because: "messages have the same metadata as in messages-tuple",
    source: "reference §2.8",
  },
  ...["messages/metadata", "messages/partial"].flatMap((event): Intended[] => [
    {
      operations: [STREAM],
      about: ["messages of family", "messages with subgraphs"],
      path: `events.${event}`,
      development: '"an event"',
      ours: "nothing",
      because: "a subgraph's messages come with stream_subgraphs alone, under its namespace",
      source: "reference §2.8: Subgraphs",
    },
    {
      operations: [STREAM],
      about: ["messages with subgraphs"],
      path: `events.${event}|yard:<id>`,
      development: "nothing",
      ours: '"an event"',
      because: "a subgraph's messages come with stream_subgraphs alone, under its namespace",
      source: "reference §2.8: Subgraphs",
    },
  ]),
  {
    operations: [STREAM],
    path: "events.events.data.name",
    development: '"LangGraph"',
    because: "the graph runs under its id",
    source: "docs/decisions/differential.md",
  },
];
