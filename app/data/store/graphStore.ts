/**
 * LangGraph's store, on store items: what a node sees as `config.store` and `getStore()`. As with checkpoints the class is
 * made from the base class of the user's own copy.
 */
import type {
  BaseStore,
  GetOperation,
  Item,
  ListNamespacesOperation,
  Operation,
  OperationResults,
  PutOperation,
  SearchOperation,
} from "@langchain/langgraph-checkpoint";
import type { ItemStore, NamespaceSearch } from "./items.js";
import { StoreRefused, toId } from "./names.js";

type Items = Pick<ItemStore, "put" | "get" | "delete" | "search" | "namespaces">;

export function createGraphStore(langgraph: { BaseStore: typeof BaseStore }, items: Items): BaseStore {
  const read = async (operation: Exclude<Operation, PutOperation>) => {
    if ("namespacePrefix" in operation) return await search(operation);
    if ("key" in operation) return await get(operation);
    return await items.namespaces(toNamespaceSearch(operation));
  };

  const get = async ({ namespace, key }: GetOperation): Promise<Item | null> =>
    (await items.get(namespace, key)) ?? null;

  const search = async ({ namespacePrefix, filter, limit = 10, offset = 0 }: SearchOperation): Promise<Item[]> =>
    await items.search(namespacePrefix, { filter, limit, offset });

  const write = async ({ namespace, key, value }: PutOperation): Promise<void> => {
    if (value === null) await items.delete(namespace, key);
    else await items.put(namespace, key, value);
  };

  class RedisStore extends langgraph.BaseStore {
    /** As LangGraph's own stores: reads see what was there before, and of several writes to an item the last one counts. */
    async batch<Op extends Operation[]>(operations: Op): Promise<OperationResults<Op>> {
      const answers = await Promise.all(operations.map((each) => (isPut(each) ? undefined : read(each))));
      const puts = operations.filter(isPut).map((put) => [toId(put.namespace, put.key), put] as const);
      await Promise.all([...new Map(puts).values()].map(write));
      return answers as OperationResults<Op>;
    }
  }
  return new RedisStore();
}

function isPut(operation: Operation): operation is PutOperation {
  return "value" in operation;
}

function toNamespaceSearch({
  matchConditions = [],
  maxDepth,
  limit = Number.POSITIVE_INFINITY,
  offset = 0,
}: ListNamespacesOperation): NamespaceSearch {
  const path = (type: string) => {
    const [first, ...others] = matchConditions.filter(({ matchType }) => matchType === type);
    if (others.length > 0) throw new StoreRefused(`namespaces are listed by one ${type} at a time`);
    return first?.path;
  };
  return { prefix: path("prefix"), suffix: path("suffix"), maxDepth, limit, offset };
}
