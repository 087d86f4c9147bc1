/** Of the store. */
import type { Intended } from "./entry.js";

export const store: Intended[] = [
  {
    operations: ["POST /store/items/search"],
    path: "body.items.*.score",
    development: "nothing",
    ours: "null",
    because: "an item that was searched for has a score",
    source: "reference §1.7; docs/api.md, The store",
  },
  {
    operations: ["POST /store/items/search"],
    about: ["no prefix"],
    path: "status",
    development: "400",
    ours: "200",
    because: "without a prefix all items are searched",
    source: "docs/api.md, The store",
  },
];
