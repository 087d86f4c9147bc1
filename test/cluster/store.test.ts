/** The store where items lie on different nodes. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { PARTITIONS, partitionOf } from "../../app/redis/partitions.js";
import { type ClusterCore, startClusterCore } from "../support/cluster.js";
import { graphStoreOn, itemsOn, places } from "../support/items.js";

let core: ClusterCore;
beforeAll(async () => {
  core = await startClusterCore();
});
afterAll(() => core.stop());

/** A first label of each partition, so that every master has some. */
function labelOfEachPartition(): string[] {
  const found = new Map<number, string>();
  for (let at = 0; found.size < PARTITIONS; at++) found.set(partitionOf(`user-${at}`), `user-${at}`);
  return [...found.values()].sort();
}

test("items of all nodes are put, found in one order, listed and deleted", async () => {
  const items = itemsOn(core);
  const store = graphStoreOn(items);
  const labels = labelOfEachPartition();
  for (const label of labels) await store.put([label, "notes"], "k", { label });
  const latest = labels.toReversed().map((label) => `${label}.notes/k`);
  expect(places(await store.search([], { limit: 100 }))).toEqual(latest);
  expect(places(await store.search([], { limit: 5, offset: 9 }))).toEqual(latest.slice(9, 14));
  expect(places(await store.search([], { filter: { label: labels[3] } }))).toEqual([`${labels[3]}.notes/k`]);
  expect(await store.listNamespaces({ maxDepth: 1 })).toEqual(labels.map((label) => [label]));
  for (const label of labels) {
    expect(await store.get([label, "notes"], "k")).toMatchObject({ value: { label } });
    await store.delete([label, "notes"], "k");
  }
  for (const label of labels) await items.put([label], "short", {}, 1);
  await vi.waitFor(async () => {
    await items.sweep();
    expect(await Promise.all(core.cluster.admins.map((admin) => admin.dbsize()))).toEqual([0, 0, 0]);
  }, 5_000);
});

test("everything was asked of the node that has it", async () => {
  const stats = await Promise.all(core.cluster.admins.map((admin) => admin.info("errorstats")));
  for (const refused of ["MOVED", "CROSSSLOT", "NOPERM"]) expect(stats.join()).not.toContain(refused);
});
