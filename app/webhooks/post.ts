/** One POST to one address: resolved once, checked, and connected to exactly what was checked. */
import { promises as dns, type LookupAddress } from "node:dns";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { AddressRefused, checkAddress, checkNetworks, hostOf, type WebhookRules } from "./rules.js";

/** An answer is not read beyond this. */
const ANSWER_BYTES = 64 * 1024;

export type Posted =
  | { kind: "delivered"; status: number }
  /** `reason` is a word of ours or an error's code, never what an address or an answer holds. */
  | { kind: "failed"; reason: string; mayTryAgain: boolean };

export type Resolve = (host: string) => Promise<LookupAddress[]>;

export interface PostOptions {
  rules: WebhookRules;
  headers: Record<string, string>;
  /** For all of it: the name, the connection, the answer. */
  timeoutMs: number;
  /** Ends it. */
  signal: AbortSignal;
  resolve?: Resolve;
}

/** Redirects are answers: they could lead anywhere. */
export async function post(address: string, body: string, options: PostOptions): Promise<Posted> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  try {
    const url = checkAddress(address, options.rules);
    const addresses = await within(resolved(url, options), signal);
    return verdict(await send(url, addresses, body, options.headers, signal));
  } catch (error) {
    if (error instanceof AddressRefused) return { kind: "failed", reason: "address refused", mayTryAgain: false };
    return { kind: "failed", reason: wordOf(error, signal), mayTryAgain: true };
  }
}

/** Too many requests, and what a server says of itself, may pass; all else is about the request. */
function verdict(status: number): Posted {
  if (status >= 200 && status < 300) return { kind: "delivered", status };
  return { kind: "failed", reason: `status ${status}`, mayTryAgain: status >= 500 || status === 429 || status === 408 };
}

async function resolved(url: URL, { rules, resolve = lookUp }: PostOptions): Promise<LookupAddress[]> {
  const host = hostOf(url);
  const family = isIP(host);
  const addresses = family ? [{ address: host, family }] : await resolve(host);
  checkNetworks(
    host,
    addresses.map(({ address }) => address),
    rules,
  );
  return addresses;
}

const lookUp: Resolve = (host) => dns.lookup(host, { all: true, order: "verbatim" });

function send(
  url: URL,
  addresses: LookupAddress[],
  body: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
      method: "POST",
      // A connection of its own, and no proxy: neither knows of the address that was checked.
      agent: false,
      lookup: pinned(addresses),
      signal,
      headers: {
        ...headers,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": "Switchyard",
      },
    });
    request.on("error", reject);
    // Without a listener Node.js closes the connection, and tells nobody.
    request.on("upgrade", ({ statusCode }, socket) => {
      socket.destroy();
      resolve(statusCode ?? 0);
    });
    request.on("response", (response) => {
      resolve(response.statusCode ?? 0);
      drop(response);
    });
    request.end(body);
  });
}

/** Lets a receiver that says little finish; nothing of it is kept, and after its status nothing can fail any more. */
function drop(response: IncomingMessage): void {
  let bytes = 0;
  response.on("error", () => {});
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES) response.destroy();
  });
}

/** Whatever the name leads to by now, the connection goes where the check looked. */
function pinned(addresses: LookupAddress[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses;
    if (!first) callback(Object.assign(new Error("no address"), { code: "ENOTFOUND" }), "");
    else if (options.all) callback(null, addresses);
    else callback(null, first.address, first.family);
  };
}

function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      signal.throwIfAborted();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    }),
  ]);
}

function wordOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted)
    return signal.reason instanceof DOMException && signal.reason.name === "TimeoutError" ? "timeout" : "stopped";
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "error";
}
