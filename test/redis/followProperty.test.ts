/** I4 under whatever happens: every client sees the events of a run once each, in order, without a gap, `end` last. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isNext } from "../../app/runs/events.js";
import type { Follow } from "../../app/runs/follow.js";
import type { ClaimedRun, EventId, NewRun } from "../../app/runs/types.js";
import { type Core, newRun, startCore, success } from "../support/core.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
afterAll(() => core.stop());

/** A client with the ids that it has seen; cut, it comes back with the last one. */
class ResumingClient {
  readonly ids: EventId[] = [];
  ended = false;
  #follow: Follow | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(private readonly run: NewRun) {}

  async open(from: "new" | "start" | { after: EventId }): Promise<void> {
    const follow = await core.runs.follow(this.run.threadId, this.run.runId, from, async () => "{}");
    this.#follow = follow;
    this.#reading = this.#read(follow);
  }

  async cut(): Promise<void> {
    this.#follow?.close();
    await this.#reading;
  }

  async reconnect(): Promise<void> {
    await this.cut();
    const last = this.ids.at(-1);
    if (!this.ended) await this.open(last === undefined ? "start" : { after: last });
  }

  /** Reads to the end. */
  async rest(): Promise<void> {
    await this.#reading;
  }

  async #read(follow: Follow): Promise<void> {
    for await (const batch of follow)
      for (const { id, event, resync } of batch) {
        expect(resync, "nothing of this run was lost").toBeUndefined();
        expect(this.ended, "nothing comes after the end").toBe(false);
        this.ids.push(id);
        this.ended = event === "end";
      }
  }
}

type Step =
  | { do: "append"; events: number; bytes: number }
  | { do: "take over" }
  | { do: "hand back" }
  | { do: "kill the subscriber" }
  | { do: "lose a message" }
  | { do: "reconnect"; client: number }
  | { do: "join" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("append" as const),
        events: fc.integer({ min: 1, max: 64 }),
        // The longest batches are published by id alone.
        bytes: fc.constantFrom(1, 50, 2_000),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ do: "take over" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "hand back" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "kill the subscriber" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "lose a message" as const }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("reconnect" as const), client: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.constant({ do: "join" as const }) },
  ),
  { minLength: 5, maxLength: 25 },
);

class Story {
  readonly run = newRun();
  readonly clients: ResumingClient[] = [];
  readonly #channel = core.keys.of(this.run.threadId, "follow", this.run.threadId);
  #owned: ClaimedRun | undefined;
  #first = 1;

  async begin(): Promise<void> {
    await this.#join("new");
    await core.runs.enqueue(this.run);
    await this.#join("start");
    this.#owned = await core.claim(this.run.threadId);
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case "append":
        return await this.#append(step.events, step.bytes);
      case "take over":
        // As a sweep finds it whose worker is dead.
        await core.redis.zadd(core.keys.of(this.run.threadId, "leases"), 0, this.run.runId);
        await core.sweep({ maxFailures: 1_000 });
        return await this.#claimAnew();
      case "hand back":
        expect(await core.attempts.release(this.owned)).toBe("released");
        return await this.#claimAnew();
      case "kill the subscriber":
        await core.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
        return;
      case "lose a message":
        // What this connection would have brought meanwhile is gone without a word.
        await core.subscriber.sunsubscribe(this.#channel);
        await this.#append(3, 1);
        await core.subscriber.ssubscribe(this.#channel);
        return await this.#append(1, 1);
      case "reconnect":
        return await this.clients[step.client % this.clients.length]?.reconnect();
      case "join":
        return await this.#join("start");
    }
  }

  async end(): Promise<EventId[]> {
    expect(await core.attempts.finish(this.owned, success, this.#first, [])).toBe("ended");
    await Promise.all(this.clients.map((client) => client.rest()));
    const kept = await core.redis.xrange(core.keys.of(this.run.threadId, "events", this.run.runId), "(0-1", "+");
    return kept.map(([id]) => id);
  }

  get owned(): ClaimedRun {
    return this.#owned ?? expect.fail("nobody owns the run");
  }

  async #append(count: number, bytes: number): Promise<void> {
    const events = Array.from({ length: count }, () => ({ event: "custom", data: `"${"x".repeat(bytes)}"` }));
    expect(await core.attempts.append(this.owned, this.#first, events)).toBe("kept");
    this.#first += count;
  }

  async #claimAnew(): Promise<void> {
    const late = this.owned;
    this.#owned = await core.claim(this.run.threadId);
    this.#first = 1;
    expect(await core.attempts.append(late, 9_999, [{ event: "custom", data: "1" }])).toBe("lost");
  }

  async #join(from: "new" | "start"): Promise<void> {
    const client = new ResumingClient(this.run);
    this.clients.push(client);
    await client.open(from);
  }
}

test("appends, takeovers, lost messages and reconnections in any order", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (schedule) => {
      const story = new Story();
      await story.begin();
      for (const step of schedule) await story.take(step);
      const stored = await story.end();
      for (const [at, id] of stored.entries()) if (at > 0) expect(isNext(id, stored[at - 1] ?? "")).toBe(true);
      for (const client of story.clients) {
        expect(client.ids).toEqual(stored);
        expect(client.ended).toBe(true);
      }
    }),
    { numRuns: 40, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
  );
});
