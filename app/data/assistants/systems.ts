/**
 * The assistants that graphs bring, as long as nobody changed them: a server answers those from memory, so that a run on a
 * graph's own assistant costs no round trip. Once one is changed it is read from Redis, for good.
 *
 * Who changes one says so twice on a channel: before, so that nobody answers from memory when the change is acknowledged,
 * and from the script that makes it. While the subscription is down everything is read from Redis. A message that was
 * lost without a sign (a half-open socket) is made good by a look at the revisions with each sweep, which also makes those
 * anew that a Redis without persistence has lost.
 */
import type { Redis } from "../../redis/connect.js";
import type { Keys } from "../../redis/partitions.js";
import type { AssistantRecord } from "./record.js";
import { PARTITION } from "./store.js";

export class UnchangedSystems {
  readonly #channel: string;
  readonly #known: Map<string, AssistantRecord>;
  readonly #changed = new Set<string>();
  readonly #checks: NodeJS.Timeout;
  #listening = false;

  /**
   * @param subscriber shared with the followers of runs, who have channels of their own
   * @param register makes one that is not there
   */
  constructor(
    private readonly redis: Redis,
    private readonly subscriber: Redis,
    private readonly keys: Keys,
    systems: readonly AssistantRecord[],
    private readonly register: (assistantId: string) => Promise<AssistantRecord>,
    sweepMs: number,
  ) {
    this.#channel = keys.in(PARTITION, "assistants", "changed");
    this.#known = new Map(systems.map((system) => [system.assistantId, system]));
    subscriber.on("smessage", this.#hear);
    subscriber.on("close", this.#distrust);
    subscriber.on("ready", this.listen);
    subscriber.on("subscribersReady", this.listen);
    this.#checks = setInterval(this.#check, sweepMs);
    this.#checks.unref();
  }

  /** The assistant, if it is a graph's own and surely unchanged. */
  get(assistantId: string): AssistantRecord | undefined {
    return this.#listening && !this.#changed.has(assistantId) ? this.#known.get(assistantId) : undefined;
  }

  /** To be called before an assistant is changed. */
  async tell(assistantId: string): Promise<void> {
    if (!this.#known.has(assistantId) || this.#changed.has(assistantId)) return;
    this.#changed.add(assistantId);
    await this.redis.spublish(this.#channel, assistantId);
  }

  /** Subscribes, then looks what was changed before. */
  readonly listen = async (): Promise<void> => {
    try {
      await this.subscriber.ssubscribe(this.#channel);
      await this.#look();
      this.#listening = true;
    } catch {
      // Redis is read for all of them, until it answers the next time.
      this.#listening = false;
    }
  };

  close(): void {
    clearInterval(this.#checks);
    this.subscriber.off("smessage", this.#hear);
    this.subscriber.off("close", this.#distrust);
    this.subscriber.off("ready", this.listen);
    this.subscriber.off("subscribersReady", this.listen);
  }

  readonly #check = async (): Promise<void> => {
    if (this.#listening) await this.#look().catch(this.#distrust);
    else await this.listen();
  };

  async #look(): Promise<void> {
    const pipeline = this.redis.pipeline();
    for (const id of this.#known.keys()) pipeline.hget(this.keys.in(PARTITION, "assistant", id), "revision");
    const answers = (await pipeline.exec()) ?? [];
    for (const [at, { assistantId, revision }] of [...this.#known.values()].entries()) {
      const [error, found] = answers[at] ?? [new Error("no answer from Redis")];
      if (error) throw error;
      if (found === null) await this.#makeAnew(assistantId);
      else if (Number(found) !== revision) this.#changed.add(assistantId);
    }
  }

  async #makeAnew(assistantId: string): Promise<void> {
    this.#known.set(assistantId, await this.register(assistantId));
    this.#changed.delete(assistantId);
  }

  readonly #hear = (channel: string, assistantId: string): void => {
    if (channel === this.#channel) this.#changed.add(assistantId);
  };

  readonly #distrust = (): void => {
    this.#listening = false;
  };
}
