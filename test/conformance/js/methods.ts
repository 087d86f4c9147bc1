/** Which methods of the JavaScript SDK were called, so that one that a new version brings is not overlooked. */
import type { Client } from "@langchain/langgraph-sdk";

const GROUPS = ["assistants", "threads", "runs", "store"] as const;

/** Event streaming, which this server does not have yet. */
const NOT_YET = new Set(["threads.stream"]);

/** @param called gets the names of the methods that are called, such as `threads.search` */
export function watched(client: Client, called: Set<string>): Client {
  for (const group of GROUPS)
    for (const name of methodsOf(client, group)) {
      const methods = client[group] as unknown as Record<string, (...args: unknown[]) => unknown>;
      const method = methods[name]?.bind(methods);
      methods[name] = (...args) => {
        called.add(`${group}.${name}`);
        return method?.(...args);
      };
    }
  return client;
}

export function uncalled(client: Client, called: ReadonlySet<string>): string[] {
  const names = GROUPS.flatMap((group) => methodsOf(client, group).map((name) => `${group}.${name}`));
  return names.filter((name) => !called.has(name) && !NOT_YET.has(name));
}

function methodsOf(client: Client, group: (typeof GROUPS)[number]): string[] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(client[group])).filter((name) => name !== "constructor");
}
