/**
 * Writes a short text of about two hundred tokens, slowly enough to watch it stream, to join it from elsewhere and to
 * cancel it in the middle. `config.configurable.pace_ms` sets the milliseconds a token.
 */
import { END, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { Conversation, lastText } from "./messages.js";
import { PacedModel } from "./pacedModel.js";

const DEFAULT_PACE_MS = 25;
const SLOWEST_PACE_MS = 10_000;

const TEXT = `A railway yard looks quiet from the bridge, and that is the point of it. Trains come in from every line, and
nobody on board knows which track they will leave by. In the signal box one board shows the whole yard: which track is
free, which train waits, and who holds the key to each set of points. Two signalmen may stand at it, or ten; it makes no
difference, because none of them keeps anything in his head. He reads the board, takes the key, moves one train, and
writes down what he did before he hangs the key back. When a signalman falls asleep, his key drops to the floor after a
while, and the next one picks it up and goes on from the last line in the book. The train is late by half a minute, but
it is not lost, and no other train has taken its place. Passengers see none of this. They ask at any window where their
train is, and every window gives the same answer, since every window reads the same board. That is all the art there is:
one board, many hands, and nothing worth knowing kept in a pocket.`;

async function write({ messages }: typeof Conversation.State, config: LangGraphRunnableConfig) {
  const opening = `You asked about “${lastText(messages)}”. `;
  const tokens = [opening, ...(TEXT.match(/\S+\s*/g) ?? []).map((word) => word.replace("\n", " "))];
  const model = new PacedModel({ tokens, paceMs: paceMs(config.configurable?.pace_ms) });
  return { messages: [await model.invoke(messages, config)] };
}

function paceMs(given: unknown): number {
  if (given === undefined) return DEFAULT_PACE_MS;
  if (typeof given === "number" && given >= 0 && given <= SLOWEST_PACE_MS) return given;
  throw new Error(`pace_ms must be a number of milliseconds from 0 to ${SLOWEST_PACE_MS}`);
}

export const graph = new StateGraph(Conversation)
  .addNode("write", write)
  .addEdge(START, "write")
  .addEdge("write", END)
  .compile();
