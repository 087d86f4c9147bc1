/** What the two sides say differently on purpose, as data. */

export interface Intended {
  /** Of these operations; all of them without it. */
  operations?: string[];
  /** Where only some requests of an operation differ so: what they are about. */
  about?: string[];
  /** The field; `*` is anything within a name, `**` anything. */
  path: string;
  /** What each says; without it, anything. */
  development?: string;
  ours?: string;
  because: string;
  /** Where it is decided: a section of the reference of the API, the contract, a page of docs. */
  source: string;
}

const THREAD = "GET /threads/{thread_id}";
const STATE = "GET /threads/{thread_id}/state";
const STATES = [
  STATE,
  "GET /threads/{thread_id}/state/{checkpoint_id}",
  "POST /threads/{thread_id}/state/checkpoint",
  "GET /threads/{thread_id}/history",
  "POST /threads/{thread_id}/history",
];
const WRITE = "POST /threads/{thread_id}/state";
const RUN = "GET /threads/{thread_id}/runs/{run_id}";
const RUNS = [RUN, "GET /threads/{thread_id}/runs", "POST /threads/{thread_id}/runs", "POST /runs", "POST /runs/batch"];
const CANCEL = "POST /threads/{thread_id}/runs/{run_id}/cancel";
const WAITS = ["POST /threads/{thread_id}/runs/wait", "POST /runs/wait"];
const STREAM = "POST /threads/{thread_id}/runs/stream";
const JOIN_STREAM = "GET /threads/{thread_id}/runs/{run_id}/stream";

const refusals: Intended[] = [
  {
    path: "body",
    development: '"string"',
    ours: '"detail: string"',
    because: "errors are JSON since v0.6.35; the development server sends text",
    source: "reference, before §1 (changelog v0.6.35)",
  },
  {
    path: "body",
    development: '"success: boolean, error: object"',
    ours: '"detail: string"',
    because: "errors are one sentence; the development server sends what its validator found",
    source: "reference, before §1 (changelog v0.6.35)",
  },
  {
    path: "headers.content-type",
    development: '"text/plain"',
    ours: '"application/json"',
    because: "errors are JSON, and so is what wait answers; the development server declares neither",
    source: "reference, before §1; §2.8",
  },
  {
    path: "status",
    development: "400",
    ours: "422",
    because: "a wrong field is 422 everywhere",
    source: "reference §1: 422 = validation",
  },
];

const assistants: Intended[] = [
  {
    operations: ["POST /assistants"],
    about: ["no graph of this name"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such graph; the development server finds out when a run starts",
    source: "reference §1.2: 404 (graph)",
  },
  {
    operations: ["DELETE /assistants/{assistant_id}"],
    path: "**",
    because: "DELETE answers 204 without a body, of whatever; the development server 200 and a list of the id",
    source: "contract, Decided semantics: DELETE: 204",
  },
  {
    operations: ["GET /assistants/{assistant_id}", "POST /assistants/{assistant_id}/latest"],
    path: "body.graph_id",
    because: "a version is used with its graph; the development server keeps the graph of the one before",
    source: "reference §1.2",
  },
  {
    operations: ["POST /assistants/{assistant_id}/versions"],
    path: "body.*.updated_at",
    development: "nothing",
    because: "a version is an Assistant, which has this field",
    source: "reference §1.2",
  },
  {
    operations: ["POST /assistants/search", "POST /threads/search"],
    about: ["page", "as many as there are"],
    path: "headers.x-pagination-*",
    because: "the total is told as it is, and a next page only where there is one",
    source: "reference §1.2: the development server's total is only right where the page is short",
  },
  {
    operations: ["GET /assistants/{assistant_id}/schemas"],
    path: "body.*_schema",
    development: "nothing",
    because: "what a graph does not describe is null; and StateSchema's graphs have a context, which it leaves out",
    source: "docs/api.md, Assistants",
  },
  {
    operations: ["GET /assistants/{assistant_id}/schemas"],
    path: "body.state_schema.required",
    development: "nothing",
    because:
      "the state's schema is that of a state, which has its defaults; the development server shows that of an update",
    source: "docs/decisions/schemas.md",
  },
  {
    operations: ["GET /assistants/{assistant_id}/subgraphs", "GET /assistants/{assistant_id}/subgraphs/{namespace}"],
    path: "body.yard.*",
    because:
      "schemas have the same names as those of an assistant; the development server sends its own words for them",
    source: "reference §1.2: map ns → schemas, as in /schemas",
  },
  {
    operations: ["GET /assistants/{assistant_id}/subgraphs/{namespace}"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such subgraph",
    source: "reference §1.2: 404",
  },
  {
    operations: ["GET /info"],
    path: "body.**",
    because: "each tells its own version; ours traces to no replicas, and has the platform's metadata",
    source: "reference §1.1",
  },
];

const threads: Intended[] = [
  {
    path: "body.**state_updated_at",
    development: "nothing",
    because: "a Thread has this field since the platform sorts by it",
    source: "reference §1.3",
  },
  {
    path: "body.**values",
    development: "nothing",
    ours: "null",
    because: "values are null where there are none; the development server leaves the field out",
    source: "reference §1.3: values|null",
  },
  {
    path: "body.**interrupts",
    development: "nothing",
    ours: "{}",
    because: "a Thread always has its interrupts",
    source: "reference §1.3",
  },
  {
    operations: [THREAD],
    path: "body.interrupts.<id>",
    development: "[]",
    ours: "nothing",
    because: "a task without an interrupt is not among the interrupts",
    source: "reference §1.3: interrupts: {task_id: [{id, value}]}",
  },
  {
    path: "body.**config.*",
    development: undefined,
    ours: "nothing",
    because:
      "a thread keeps no configuration of its runs, and a run takes none from those before; its kwargs have its own",
    source: "docs/decisions/differential.md",
  },
  {
    operations: ["POST /threads/search"],
    about: ["by values"],
    path: "**",
    because: "a thread without values has not the values that are asked for; the development server finds it",
    source: "reference §1.3",
  },
  {
    operations: [THREAD],
    about: ["stopped after a"],
    path: "body.values.steps.*",
    development: "nothing",
    because: "a thread shows the newest state; the development server that of the checkpoint event before the stop",
    source: "reference §2.1: values are those of the last checkpoint",
  },
  {
    operations: [THREAD],
    about: ["after a cancel"],
    path: "body.status",
    development: '"idle"',
    ours: '"interrupted"',
    because: "a cancelled run keeps its last checkpoint, which has a next step",
    source: "reference §2.1; contract, Statuses",
  },
  {
    operations: [THREAD],
    about: ["after a cancel"],
    path: "body.values",
    development: "nothing",
    because: "a cancelled run keeps its last checkpoint; the development server drops it",
    source: "reference §2.1; contract, Statuses",
  },
];

const states: Intended[] = [
  {
    operations: STATES,
    path: "body.**interrupts",
    development: "nothing",
    because: "a ThreadState has the open interrupts of all its tasks",
    source: "reference §1.3",
  },
  {
    operations: STATES,
    path: "body.metadata",
    development: "nothing",
    ours: "{}",
    because: "the state of a thread on which nothing ran has metadata, too",
    source: "reference §1.3",
  },
  {
    operations: ["GET /threads/{thread_id}/state/{checkpoint_id}", "POST /threads/{thread_id}/state/checkpoint"],
    about: ["unknown"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such checkpoint; the development server shows an empty state",
    source: "reference §1.3: 404",
  },
  {
    operations: ["POST /threads/{thread_id}/state/checkpoint"],
    about: ["with subgraphs"],
    path: "status",
    development: "400",
    ours: "200",
    because: "the SDKs send a boolean; the development server takes texts alone",
    source: "reference §1.3",
  },
  {
    operations: STATES,
    path: "body.**tasks.*.error",
    development: String.raw`"{\"message\":\"the points are stuck\",\"name\":\"RangeError\"}"`,
    ours: '"RangeError: the points are stuck"',
    because: "an error is a text for people; the development server writes an object into a text",
    source: "reference §1.3",
  },
];

const MARKS = ["langgraph_host", "langgraph_plan", "langgraph_version", "run_attempt", "ls_integration"];

const writes: Intended[] = [
  {
    operations: [WRITE],
    path: "body.configurable",
    development: "nothing",
    because: "SDKs of JavaScript declare this name for the checkpoint",
    source: "SDK: threads.updateState",
  },
  {
    operations: [WRITE],
    path: "body.checkpoint.checkpoint_map",
    development: "nothing",
    ours: "null",
    because: "a checkpoint is named by the same fields as everywhere",
    source: "reference §1.3: checkpoint{thread_id, checkpoint_ns, checkpoint_id, checkpoint_map}",
  },
  {
    operations: [WRITE],
    about: ["of no checkpoint"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such checkpoint; the development server begins a new state",
    source: "reference §1.3",
  },
  {
    operations: [WRITE, "POST /threads"],
    about: ["as nobody", "supersteps of no node"],
    path: "status",
    development: "500",
    ours: "422",
    because: "there is no such node",
    source: "reference §1: 422 = validation",
  },
  {
    operations: STATES,
    path: "body.**metadata.graph_id",
    development: '"steps"',
    ours: "nothing",
    because: "a state that no run wrote has no run's metadata; the development server copies configurable into it",
    source: "docs/decisions/differential.md",
  },
  {
    operations: [THREAD],
    about: ["with supersteps", "written as a"],
    path: "body.status",
    development: '"idle"',
    ours: '"interrupted"',
    because: "a state that was written has a next step, for which the thread waits",
    source: "reference §2.1",
  },
  {
    operations: ["POST /threads/{thread_id}/copy", THREAD],
    path: "body.metadata.thread_id",
    ours: "nothing",
    because: "a thread has its id once",
    source: "reference §1.3: Thread",
  },
  {
    operations: ["POST /threads/{thread_id}/copy", THREAD],
    path: "body.values",
    development: "nothing",
    because: "a thread shows the values of its newest checkpoint, a copy as well",
    source: "reference §2.1",
  },
];

const metadata: Intended[] = [
  ...MARKS.map((mark) => ({
    path: `**.${mark}`,
    ours: "nothing",
    because: "what a server says of itself is no part of a run's metadata, which comes with each token",
    source: "docs/decisions/differential.md",
  })),
  {
    path: "**.created_by",
    ours: "nothing",
    because: "an assistant's metadata is the assistant's; a run's is what its client gave",
    source: "docs/decisions/differential.md",
  },
  {
    path: "**.user-agent",
    ours: "nothing",
    because: "no header gets into a configuration",
    source: "reference §5: since v0.4.0 nothing is copied unless configurable_headers opts in",
  },
  {
    operations: STATES,
    about: ["after forks"],
    path: "body.*.metadata.checkpoint_*",
    ours: "nothing",
    because: "where a run began is its kwargs'; the development server copies all of configurable into metadata",
    source: "app/data/checkpoints/metadata.ts",
  },
  {
    operations: ["POST /runs", "POST /runs/batch"],
    path: "body.**metadata.*_id",
    development: "nothing",
    because: "a run's metadata names its graph and its assistant, also where the run makes its thread",
    source: "reference §2.2: if_not_exists",
  },
];

const runs: Intended[] = [
  {
    path: "body.**multitask_strategy",
    development: '"reject"',
    ours: '"enqueue"',
    because: "enqueue is the platform's default since v0.2.130",
    source: "reference §2.2",
  },
  ...["temporary", "context", "config.metadata"].map((field) => ({
    operations: RUNS,
    path: `body.**kwargs.${field}`,
    ours: "nothing",
    because: "kwargs are what the client gave; how the development server keeps a run is its own",
    source: "reference §1.4: Run",
  })),
  {
    operations: ["POST /runs", "POST /runs/batch", THREAD, STATE, "POST /runs/stream"],
    path: "**thread_id",
    development: '"<id>"',
    ours: '"<another id>"',
    because: "the thread of a stateless run has the run's id",
    source: "contract, Ids",
  },
  {
    operations: ["POST /threads/{thread_id}/runs"],
    about: ["no such thread"],
    path: "status",
    development: "422",
    ours: "404",
    because: "there is no such thread",
    source: "reference §2.2: if_not_exists",
  },
  {
    operations: ["POST /threads/{thread_id}/runs"],
    about: ["reject"],
    path: "status",
    development: "422",
    ours: "409",
    because: "a busy thread is a conflict",
    source: "reference §2.2: reject",
  },
  {
    operations: [CANCEL],
    about: ["ended"],
    path: "status",
    development: "202",
    ours: "409",
    because: "a run that has ended can't be cancelled",
    source: "contract, Statuses",
  },
  {
    operations: [JOIN_STREAM, "GET /runs/{run_id}/stream"],
    about: ["unknown"],
    path: "status",
    development: "200",
    ours: "404",
    because: "there is no such run; the development server has begun its stream before it looks",
    source: "reference §1.4: 404",
  },
  {
    operations: WAITS,
    path: "body.__error__.*",
    because: "an error is its name and message; the development server writes that object into a message",
    source: "reference §2.8: __error__",
  },
  {
    operations: WAITS,
    path: "body.steps",
    development: "nothing",
    because: "an answer has the values beside __interrupt__; the development server the last event alone",
    source: "reference §2.8: unfinished interrupts → __interrupt__ key",
  },
  {
    path: "headers.location",
    development: "nothing",
    because: "SDKs reconnect where Location says; the development server sends none",
    source: "reference §2.8: reconnect headers",
  },
  {
    operations: ["GET /threads/{thread_id}/runs/{run_id}/join", JOIN_STREAM],
    path: "headers.content-location",
    development: "nothing",
    because: "SDKs read the run's id from it, of a join too",
    source: "reference §2.8: reconnect headers",
  },
];

const streams: Intended[] = [
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

const store: Intended[] = [
  {
    operations: ["POST /store/items/search"],
    path: "body.items.*.score",
    development: "nothing",
    ours: "null",
    because: "an item that was searched for has a score",
    source: "reference §1.7; docs/api.md, The store",
  },
  {
    operations: ["POST /store/items/search"],
    about: ["no prefix"],
    path: "status",
    development: "400",
    ours: "200",
    because: "without a prefix all items are searched",
    source: "docs/api.md, The store",
  },
];

export const INTENDED: Intended[] = [
  ...refusals,
  ...assistants,
  ...threads,
  ...states,
  ...writes,
  ...metadata,
  ...runs,
  ...streams,
  ...store,
];
