/**
 * How much one client, and all of them together, may have open on a server. Who asks for too much is refused before
 * anything is stored, with the time after which it may ask again.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { RequestHandler, Response } from "express";
import { presentedKey } from "../auth/apiKeys.js";
import { HttpError } from "./errors.js";

export interface RequestLimits {
  /** Of the path with its query. */
  maxUrlBytes: number;
  /** Streams, and requests that wait for a run's end. */
  maxStreamsPerClient: number;
  /** Of all clients, streams included. */
  maxOpenRequests: number;
}

/** Before any route: what no route has to look at. */
export function refuseOdd({ maxUrlBytes }: RequestLimits): RequestHandler {
  return (request, _response, next) => {
    if (request.headers.host === undefined) throw new HttpError(400, "the request has no Host header");
    if (request.url.length > maxUrlBytes)
      throw new HttpError(414, `the address is longer than the limit of ${maxUrlBytes} bytes`);
    next();
  };
}

export class OpenRequests {
  readonly #streams = new Map<string, number>();
  #open = 0;

  /** @param keyed whether clients are told apart by their keys, which were checked; by their addresses otherwise */
  constructor(
    private readonly limits: RequestLimits,
    private readonly keyed: boolean,
  ) {}

  get size(): number {
    return this.#open;
  }

  /**
   * Counts the request until its answer is closed.
   * @param held whether the answer stays open while a run goes on
   * @throws HttpError 429, 503
   */
  enter(request: IncomingMessage, response: Response, held: boolean): void {
    const { maxOpenRequests, maxStreamsPerClient } = this.limits;
    if (this.#open >= maxOpenRequests)
      throw new HttpError(503, "too many requests are open on this server; try again", { "Retry-After": "2" });
    const client = held ? this.#clientOf(request) : undefined;
    if (client !== undefined && this.#streamsOf(client) >= maxStreamsPerClient)
      throw new HttpError(429, `you have ${maxStreamsPerClient} streams and waiting requests open; close some`, {
        "Retry-After": "5",
      });
    this.#open++;
    if (client !== undefined) this.#streams.set(client, this.#streamsOf(client) + 1);
    response.once("close", () => {
      this.#open--;
      if (client !== undefined) this.#leave(client);
    });
  }

  #streamsOf(client: string): number {
    return this.#streams.get(client) ?? 0;
  }

  #leave(client: string): void {
    const left = this.#streamsOf(client) - 1;
    if (left > 0) this.#streams.set(client, left);
    else this.#streams.delete(client);
  }

  /** Keys are secrets: only their hash is kept. */
  #clientOf(request: IncomingMessage): string {
    if (this.keyed)
      return createHash("sha256")
        .update(presentedKey(request.headers) ?? "")
        .digest("base64");
    return addressOf(request);
  }
}

/**
 * The last address that a proxy has added is the one that it saw; who comes without a proxy may write there what he likes,
 * and then only `maxOpenRequests` holds him.
 */
function addressOf(request: IncomingMessage): string {
  const forwarded = request.headers["x-forwarded-for"];
  const last = [forwarded].flat().join(",").split(",").at(-1)?.trim();
  return last || (request.socket.remoteAddress ?? "");
}
