/** Store items for tests, as a graph sees them. */
import { BaseStore } from "@langchain/langgraph-checkpoint";
import { createGraphStore } from "../../app/data/store/graphStore.js";
import { ItemStore, type ItemStoreDeps, type TimeToLive } from "../../app/data/store/items.js";

export function itemsOn(
  deps: Omit<ItemStoreDeps, "timeToLive">,
  timeToLive: TimeToLive = { refreshOnRead: true },
): ItemStore {
  return new ItemStore({ ...deps, timeToLive });
}

export function graphStoreOn(items: ItemStore): BaseStore {
  return createGraphStore({ BaseStore }, items);
}

/** Where items were found, such as `users.ada/name`. */
export function places(items: { namespace: string[]; key: string }[]): string[] {
  return items.map(({ namespace, key }) => `${namespace.join(".")}/${key}`);
}
