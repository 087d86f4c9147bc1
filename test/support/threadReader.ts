/** Who follows a thread in a test, and what writes a state that is no run's. */
import { expect } from "vitest";
import { loadScript } from "../../app/redis/scripts.js";
import { runScriptFolder } from "../../app/runs/scripts.js";
import type { ThreadFollowFrom } from "../../app/runs/threadFollow.js";
import type { ThreadEvent } from "../../app/runs/threadSource.js";
import { type Core, soon } from "./core.js";

/** A reader that takes what comes. */
export async function readThread(
  { runs }: Pick<Core, "runs">,
  threadId: string,
  from: ThreadFollowFrom,
  state: () => Promise<string | undefined> = async () => '{"now":1}',
) {
  const follow = await runs.followThread(threadId, from, state);
  const seen: ThreadEvent[] = [];
  const done = (async () => {
    for await (const batch of follow) seen.push(...batch);
  })();
  const close = async () => {
    follow.close();
    await done;
  };
  return {
    ...{ seen, done, close },
    ids: () => seen.map(({ id }) => Number(id)),
    reached: (number: number) => soon(() => expect(Number(seen.at(-1)?.id)).toBe(number)),
    [Symbol.asyncDispose]: close,
  };
}

const script = loadScript(new URL("./lua/", import.meta.url), "tell_state", runScriptFolder);

export async function tellState({ redis, keys }: Pick<Core, "redis" | "keys">, threadId: string): Promise<void> {
  await script.run(redis, keys.of(threadId, "thread", threadId), threadId);
}
