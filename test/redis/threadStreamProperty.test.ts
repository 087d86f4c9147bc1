/** I4 for threads: every client sees the events of all runs once each, in order, without a gap, whatever happens. */
import fc from "fast-check";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ThreadFollowFrom } from "../../app/runs/threadFollow.js";
import type { ClaimedRun } from "../../app/runs/types.js";
import { type Core, newRun, soon, startCore, success } from "../support/core.js";
import { readThread, tellState } from "../support/threadReader.js";

let core: Core;
beforeAll(async () => {
  core = await startCore();
});
afterAll(() => core.stop());

/** A client that comes back with the last id that it has. */
class ResumingClient {
  readonly seen: { number: number; what: string }[] = [];
  #reading: Awaited<ReturnType<typeof readThread>> | undefined;

  constructor(private readonly threadId: string) {}

  get last(): number {
    return this.seen.at(-1)?.number ?? this.#reading?.ids().at(-1) ?? 0;
  }

  async open(from: ThreadFollowFrom): Promise<void> {
    this.#reading = await readThread(core, this.threadId, from);
  }

  async cut(): Promise<void> {
    await this.#reading?.close();
    for (const { threadSeq, event, runId, data, resync } of this.#reading?.seen ?? []) {
      expect(resync, "nothing of this thread was lost").toBeUndefined();
      this.seen.push({ number: threadSeq, what: `${runId} ${event} ${data}` });
    }
    this.#reading = undefined;
  }

  async reconnect(): Promise<void> {
    await this.cut();
    await this.open({ after: this.last });
  }

  async reached(number: number): Promise<void> {
    await soon(() => expect(this.#reading?.ids().at(-1) ?? this.last).toBe(number));
    await this.cut();
  }
}

type Step =
  | { do: "append"; events: number; bytes: number }
  | { do: "end the run" | "take over" | "hand back" | "cancel a waiting run" | "roll back" | "write a state" }
  | { do: "kill the subscriber" | "lose a message" | "join" }
  | { do: "reconnect"; client: number };

const just = <D extends string>(step: D) => fc.constant({ do: step });

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
    { weight: 4, arbitrary: just("end the run") },
    { weight: 1, arbitrary: just("take over") },
    { weight: 1, arbitrary: just("hand back") },
    { weight: 2, arbitrary: just("cancel a waiting run") },
    { weight: 1, arbitrary: just("roll back") },
    { weight: 1, arbitrary: just("write a state") },
    { weight: 1, arbitrary: just("kill the subscriber") },
    { weight: 1, arbitrary: just("lose a message") },
    { weight: 1, arbitrary: just("join") },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("reconnect" as const), client: fc.nat(5) }) },
  ),
  { minLength: 5, maxLength: 30 },
);

class Story {
  readonly threadId = uuid();
  readonly clients: ResumingClient[] = [];
  readonly #channel = core.keys.of(this.threadId, "follow", this.threadId);
  #owned: ClaimedRun | undefined;
  #first = 1;

  async begin(): Promise<void> {
    await this.#claimNext();
    await this.#join();
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case "append":
        return await this.#append(step.events, step.bytes);
      case "end the run":
        expect(await core.attempts.finish(this.owned, success, this.#first, [])).toBe("ended");
        return await this.#claimNext();
      case "take over":
        await core.redis.zadd(core.keys.of(this.threadId, "leases"), 0, this.owned.runId);
        await core.sweep({ maxFailures: 1_000 });
        return await this.#claim();
      case "hand back":
        expect(await core.attempts.release(this.owned)).toBe("released");
        return await this.#claim();
      case "cancel a waiting run": {
        const waiting = newRun({ threadId: this.threadId });
        await core.runs.enqueue(waiting);
        return await core.runs.cancel(this.threadId, waiting.runId);
      }
      case "roll back":
        await core.runs.cancel(this.threadId, this.owned.runId, "rollback");
        await core.runs.removed(this.threadId, this.owned.runId);
        return await this.#claimNext();
      case "write a state":
        return await tellState(core, this.threadId);
      case "kill the subscriber":
        await core.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
        return;
      case "lose a message":
        await core.subscriber.sunsubscribe(this.#channel);
        await this.#append(3, 1);
        await core.subscriber.ssubscribe(this.#channel);
        return await this.#append(1, 1);
      case "reconnect":
        return await this.clients[step.client % this.clients.length]?.reconnect();
      case "join":
        return await this.#join();
    }
  }

  /** @returns the number of the last event */
  async end(): Promise<number> {
    expect(await core.attempts.finish(this.owned, success, this.#first, [])).toBe("ended");
    return Number(await core.redis.hget(core.keys.of(this.threadId, "thread", this.threadId), "seq"));
  }

  get owned(): ClaimedRun {
    return this.#owned ?? expect.fail("nobody owns a run");
  }

  async #append(count: number, bytes: number): Promise<void> {
    const events = Array.from({ length: count }, (_, at) => ({
      event: "custom",
      data: `"${String(this.#first + at).padEnd(bytes, "x")}"`,
    }));
    expect(await core.attempts.append(this.owned, this.#first, events)).toBe("kept");
    this.#first += count;
  }

  async #claimNext(): Promise<void> {
    await core.runs.enqueue(newRun({ threadId: this.threadId }));
    await this.#claim();
  }

  async #claim(): Promise<void> {
    this.#owned = await core.claim(this.threadId);
    this.#first = 1;
  }

  async #join(): Promise<void> {
    const client = new ResumingClient(this.threadId);
    this.clients.push(client);
    await client.open("start");
  }
}

test("runs, takeovers, rollbacks, lost messages and reconnections in any order", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (schedule) => {
      const story = new Story();
      await story.begin();
      for (const step of schedule) await story.take(step);
      const newest = await story.end();
      const [first, ...others] = story.clients;
      for (const client of story.clients) await client.reached(newest);
      expect(first?.seen.map(({ number }) => number)).toEqual(Array.from({ length: newest }, (_, at) => at + 1));
      for (const client of others) expect(client.seen).toEqual(first?.seen);
    }),
    { numRuns: 30, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  );
});
