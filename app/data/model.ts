/**
 * The version of the data model, kept beside the data. Fields and keys are added without a new version: every release
 * reads what the one before it wrote and writes nothing that breaks it, so both may serve one Redis during a deploy. A
 * change that the release before could not read gets a new version, which is written one release after it can be read.
 */
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";

export interface DataModel {
  /** The version that this release writes, and the newest that it knows. */
  writes: number;
  /** The oldest that it still reads: that of the release before. */
  reads: number;
}

export const dataModel: DataModel = { writes: 1, reads: 1 };

/** Redis holds data of a release that this one can't serve together with. */
export class ModelRefused extends Error {
  override name = "ModelRefused";
}

/**
 * Writes down the version where there is none (a new Redis, or one of the first release, which wrote the same).
 * @throws ModelRefused with what to do
 */
export async function checkModel(redis: Redis, keys: Keys, { writes, reads } = dataModel): Promise<void> {
  const key = `${keys.prefix}:meta`;
  let held = await redis.hget(key, "model");
  if (held === null) {
    await redis.hsetnx(key, "model", writes);
    held = await redis.hget(key, "model");
  }
  const stored = Number(held);
  if (stored > writes)
    throw new ModelRefused(
      `Redis holds data of version ${stored}, and this release knows it up to ${writes}: deploy the release that wrote it, or a later one`,
    );
  if (stored < reads)
    throw new ModelRefused(
      `Redis holds data of version ${stored}, and this release reads it from ${reads} on: first deploy a release that reads ${stored} and writes ${stored + 1}`,
    );
}
