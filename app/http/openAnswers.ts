/**
 * Answers that stay open while a run goes on: event streams, and those of wait and join. Each is in one of three
 * states: *open*, *ended* (all of it was written) and *gone* (its connection is closed). The client may go, and some ask
 * that their run goes with them. We may send the client away, when it reads too slowly or when the server drains: then
 * the connection is destroyed, never ended, because clients resume after a cut but take a clean end for the end.
 */
import type { ServerResponse } from "node:http";

/**
 * A reader that leaves more than a megabyte unread has ten seconds for each of them, then it is sent away: it can resume,
 * and the memory is everybody's. In proportion, because one event may be many megabytes, which a reader that is cut
 * before it has them all would ask for again and again.
 */
const SLOW_READER_BYTES = 1024 * 1024;
const SLOW_READER_MS = 10_000;

export interface OpenAnswerOptions {
  headers: Record<string, string>;
  /** Written at once, with the headers. */
  opening?: string;
  /** Written after each `heartbeatMs` of silence. */
  heartbeat: string;
  /** The answer is ended or gone. @param byClient the client closed the connection before the end */
  onClosed: (byClient: boolean) => void;
}

export class OpenAnswers {
  readonly #open = new Set<OpenAnswer>();
  readonly #held = new WeakSet<ServerResponse>();
  #draining = false;

  constructor(private readonly heartbeatMs: number) {}

  get size(): number {
    return this.#open.size;
  }

  /** Whether the response was one that stayed open while a run went on. */
  held(response: ServerResponse): boolean {
    return this.#held.has(response);
  }

  /** Sends status 200 and the headers. A client that has already gone is reported through `onClosed` at once. */
  begin(response: ServerResponse, { headers, opening, heartbeat, onClosed }: OpenAnswerOptions): OpenAnswer {
    const answer = new OpenAnswer(response, { heartbeat, heartbeatMs: this.heartbeatMs }, (byClient) => {
      this.#open.delete(answer);
      onClosed(byClient);
    });
    this.#held.add(response);
    if (answer.gone) return answer;
    this.#open.add(answer);
    response.writeHead(200, headers);
    if (opening) response.write(opening);
    else response.flushHeaders();
    // The run was accepted: its client must learn where to resume before it is sent away.
    if (this.#draining) response.write(heartbeat, () => answer.destroy());
    return answer;
  }

  /** Sends every client away, and those that still come. */
  drain(): void {
    this.#draining = true;
    for (const answer of this.#open) answer.destroy();
  }
}

export class OpenAnswer {
  readonly #heartbeat: NodeJS.Timeout;
  #sentAway = false;

  constructor(
    private readonly response: ServerResponse,
    { heartbeat, heartbeatMs }: { heartbeat: string; heartbeatMs: number },
    onClosed: (byClient: boolean) => void,
  ) {
    this.#heartbeat = setInterval(() => {
      if (!response.writableNeedDrain) response.write(heartbeat);
    }, heartbeatMs);
    const close = () => {
      clearInterval(this.#heartbeat);
      onClosed(!this.#sentAway && !response.writableFinished);
    };
    if (response.destroyed) queueMicrotask(close);
    else response.once("close", close);
  }

  get gone(): boolean {
    return this.response.destroyed;
  }

  /** Resolves when there is room for more, or nobody to read it. */
  async write(text: string): Promise<void> {
    if (text === "" || this.gone) return;
    this.#heartbeat.refresh();
    if (!this.response.write(text)) await this.#drained();
  }

  end(text = ""): void {
    clearInterval(this.#heartbeat);
    this.response.end(text);
  }

  destroy(): void {
    this.#sentAway = true;
    this.response.destroy();
  }

  #drained(): Promise<void> {
    const { response } = this;
    const megabytes = Math.ceil(response.writableLength / SLOW_READER_BYTES);
    return new Promise((resolve) => {
      const limit = megabytes > 1 ? setTimeout(() => this.destroy(), SLOW_READER_MS * megabytes) : undefined;
      const settle = () => {
        clearTimeout(limit);
        response.off("drain", settle);
        response.off("close", settle);
        resolve();
      };
      response.on("drain", settle);
      response.on("close", settle);
    });
  }
}
