/** Once before all test files: the Redis program is there, and the app is compiled (all topologies share this build). */
import type { TestProject } from "vitest/node";
import { build } from "../../app/build.js";
import { resolveRedisBinary } from "../../app/local/redisBinary.js";

export default async function setup(project: TestProject): Promise<void> {
  const [app] = await Promise.all([build(), resolveRedisBinary((text) => process.stderr.write(`${text}\n`))]);
  project.provide("app", app);
}
