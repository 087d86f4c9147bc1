/** `client.store` of the JavaScript SDK. */
import { randomUUID } from "node:crypto";
import type { Case } from "../cases.js";
import { must, text, time, type Wanted } from "../shape.js";
import { refused } from "./support.js";

const item = (namespace: string[], key: string, value: Record<string, Wanted>) => ({
  ...{ namespace, key, value, created_at: time, updated_at: time, createdAt: time, updatedAt: time },
});
const found = (namespace: string[], key: string, value: Record<string, Wanted>) => ({
  ...item(namespace, key, value),
  score: null,
});

export const storeCases: Case[] = [
  {
    name: "store.putItem, getItem, deleteItem: an item comes, changes and goes",
    async run({ client: { store } }) {
      const place = ["js", randomUUID()];
      must(await store.putItem(place, "k", { a: [], b: { c: null } }), undefined);
      must(await store.getItem(place, "k"), item(place, "k", { a: [], b: { c: null } }));
      await store.putItem(place, "k", { a: 2 }, { index: false, ttl: 60 });
      must(await store.getItem(place, "k", { refreshTtl: false }), item(place, "k", { a: 2 }));
      must(await store.deleteItem(place, "k"), undefined);
      must(await store.getItem(place, "k"), null);
      must(await store.deleteItem(place, "k"), undefined);
      await refused(store.putItem([], "k", {}), 422, /namespace/);
      await refused(store.putItem(["a", ""], "k", {}), 422, /namespace/);
    },
  },
  {
    name: "store.searchItems: below a prefix of whole labels, by fields, in pages",
    async run({ client: { store } }) {
      const top = randomUUID();
      for (const n of [1, 2, 3]) await store.putItem(["js", top, "notes"], `n${n}`, { n, kind: n > 1 ? "b" : "a" });
      await store.putItem(["js", `${top}x`], "other", { n: 1 });
      const place = ["js", top, "notes"];
      must(await store.searchItems(["js", top]), {
        items: [3, 2, 1].map((n) => found(place, `n${n}`, { n, kind: n > 1 ? "b" : "a" })),
      });
      must(await store.searchItems(place, { filter: { kind: "b", n: { $lt: 3 } } }), {
        items: [found(place, "n2", { n: 2, kind: "b" })],
      });
      must(await store.searchItems(place, { limit: 1, offset: 1, query: "n", refreshTtl: false }), {
        items: [found(place, "n2", { n: 2, kind: "b" })],
      });
    },
  },
  {
    name: "store.listNamespaces: by prefix, suffix and depth",
    async run({ client: { store } }) {
      const top = randomUUID();
      for (const path of [
        ["a", "x"],
        ["b", "x"],
        ["b", "y", "z"],
      ])
        await store.putItem([top, ...path], "k", {});
      must(await store.listNamespaces({ prefix: [top] }), {
        namespaces: [
          [top, "a", "x"],
          [top, "b", "x"],
          [top, "b", "y", "z"],
        ],
      });
      must(await store.listNamespaces({ prefix: [top], suffix: ["x"] }), {
        namespaces: [
          [top, "a", "x"],
          [top, "b", "x"],
        ],
      });
      must(await store.listNamespaces({ prefix: [top], maxDepth: 2 }), {
        namespaces: [
          [top, "a"],
          [top, "b"],
        ],
      });
      must(await store.listNamespaces({ prefix: [top], limit: 1, offset: 1 }), { namespaces: [[top, "b", "x"]] });
    },
  },
  {
    name: "store: graphs see the same items as clients",
    async run({ client }) {
      const topic = randomUUID();
      await client.store.putItem(["notes", topic], "first", { topic: "told by the client" });
      must(await client.runs.wait(null, "notes", { input: { topic } }), {
        topic,
        items: [
          { key: "last", topic },
          { key: "first", topic: "told by the client" },
        ],
      });
      must((await client.store.getItem(["notes", topic], "last"))?.value, { topic });
      must(
        (await client.store.searchItems(["notes", topic])).items.map(({ key }) => key),
        [text, text],
      );
    },
  },
];
