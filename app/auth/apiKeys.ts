/**
 * API keys. Only their SHA-256 is configured, so a stolen environment opens nothing. Several are valid at once, which
 * is how a key is changed without a moment in which clients are refused.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

export type KeyCheck = (key: string | undefined) => boolean;

/**
 * The key is compared with every hash, without an early exit, so that the time tells nothing about it.
 * @param hashes SHA-256 in hex; with none, every caller is let in (`bindAddress` keeps such a server on this machine)
 */
export function createKeyCheck(hashes: readonly string[]): KeyCheck {
  const accepted = hashes.map((hash) => Buffer.from(hash, "hex"));
  if (accepted.length === 0) return () => true;
  return (key) => {
    const presented = createHash("sha256")
      .update(key ?? "")
      .digest();
    let known = false;
    for (const hash of accepted) known = timingSafeEqual(hash, presented) || known;
    return known && key !== undefined;
  };
}

/** The key as clients send it: `x-api-key`, or `Authorization: Bearer`. */
export function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const key = headers["x-api-key"];
  if (typeof key === "string" && key !== "") return key;
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
}

/** Where a server listens: without keys only on this machine, unless told that anybody may come. */
export function bindAddress(settings: { apiKeyHashes: readonly string[]; allowAnonymous: boolean }): string {
  return settings.apiKeyHashes.length > 0 || settings.allowAnonymous ? "0.0.0.0" : "127.0.0.1";
}
