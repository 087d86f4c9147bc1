/** Somebody who is told by webhook: an HTTP server of the test's own on this machine. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Told {
  path: string;
  method: string;
  headers: IncomingHttpHeaders;
  /** The parsed body. */
  run: Record<string, unknown> & { run_id: string; status: string };
}

export interface Receiver {
  /** `http://127.0.0.1:port` */
  url: string;
  /** What it was told, in order; also what it did not answer well. */
  told: Told[];
  /** How it answers; 204 unless set. */
  answer: (response: ServerResponse, told: Told) => void;
}

/** It goes with the test. */
export async function receiver(answer?: Receiver["answer"]): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { url = "", method = "", headers } = request;
    const told = { path: url, method, headers, run: JSON.parse(Buffer.concat(chunks).toString() || "{}") };
    self.told.push(told);
    self.answer(response, told);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const self: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    told: [],
    answer: answer ?? ((response) => response.writeHead(204).end()),
  };
  return self;
}

export const answers =
  (status: number, headers: Record<string, string> = {}): Receiver["answer"] =>
  (response) =>
    response.writeHead(status, headers).end("the answer");

export const hangs: Receiver["answer"] = () => {};
