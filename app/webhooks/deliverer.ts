/**
 * Posts the webhooks of runs that have ended. The end of a run puts its webhook into Redis (`runs/lua/include/webhook.lua`);
 * every worker looks for those that are due, takes as many as it has slots for, each under a lease of Redis's time, and
 * says what became of it. What dies with its worker is due again when the lease ends: a webhook is posted at least once.
 */
import type { Redis } from "../redis/connect.js";
import { ALL_PARTITIONS, type Keys, PARTITIONS } from "../redis/partitions.js";
import { loadScript } from "../redis/scripts.js";
import { runScriptFolder } from "../runs/scripts.js";
import type { Log } from "../telemetry/log.js";
import { webhookBody } from "./body.js";
import type { Posted } from "./post.js";
import { Receivers } from "./receivers.js";

const load = (name: string) => loadScript(new URL("./lua/", import.meta.url), name, runScriptFolder);
const scripts = { claim: load("claim_webhooks"), settle: load("settle_webhook") };

/** Posts under way in this process; a body may be as large as a request and a state. */
const SLOTS = 32;
/** When those are looked at again whose receiver fails and has as many as it may. */
const LATER_MS = 5_000;
/** After each try that failed, ten minutes in all: longer than a receiver's restart or deploy. Then it is given up. */
const PAUSES_MS: readonly number[] = [10_000, 40_000, 150_000, 400_000];
/** A process that ends leaves what takes longer to others. */
const STOP_WITHIN_MS = 3_000;

export interface DelivererDeps {
  redis: Redis;
  keys: Keys;
  post: (address: string, body: string, signal: AbortSignal) => Promise<Posted>;
  log: Log;
}

export interface DelivererSettings {
  /** How often it looks for what is due. */
  sweepMs: number;
  /** Longer than a post may take. */
  leaseMs: number;
  pausesMs?: readonly number[];
}

interface Claimed {
  runId: string;
  partition: number;
  /** With this one. */
  tries: number;
  address: string;
}

interface Found {
  claimed: Claimed[];
  /** Some that are due stay, because their receivers have as many as they may. */
  rest: boolean;
}

export class Deliverer {
  readonly #posts = new Set<Promise<void>>();
  readonly #receivers = new Receivers();
  readonly #stopped = new AbortController();
  /** Ends posts that a process which must end can't wait for. */
  readonly #cut = new AbortController();
  readonly #pausesMs: readonly number[];
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  /** The latest look may have left some that are due. */
  #more = false;

  constructor(
    private readonly deps: DelivererDeps,
    private readonly settings: DelivererSettings,
  ) {
    this.#pausesMs = settings.pausesMs ?? PAUSES_MS;
    this.#schedule();
  }

  /** Looks at once: a run with a webhook has ended here. */
  look(): void {
    this.#lookAgain = true;
    this.#looking ??= this.#lookOn().finally(() => {
      this.#looking = undefined;
    });
  }

  /** Takes no more; what is not posted soon is left to others. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    await this.#looking;
    const late = setTimeout(() => this.#cut.abort(), STOP_WITHIN_MS);
    await Promise.all(this.#posts);
    clearTimeout(late);
  }

  #schedule(): void {
    // Jitter keeps a fleet that started together from looking together.
    const delay = this.settings.sweepMs * (0.8 + 0.4 * Math.random());
    this.#timer = setTimeout(() => {
      this.look();
      this.#schedule();
    }, delay);
  }

  async #lookOn(): Promise<void> {
    while (this.#lookAgain && !this.#stopped.signal.aborted) {
      this.#lookAgain = false;
      const free = SLOTS - this.#posts.size;
      const share = Math.max(1, Math.floor(free / PARTITIONS));
      // With fewer slots than partitions, another part of them each time.
      const asked = shuffled(ALL_PARTITIONS).slice(0, free);
      const found = await this.#claimIn(asked, share);
      const full = found.some(({ claimed }) => claimed.length === share);
      this.#more = full || asked.length < PARTITIONS || found.some(({ rest }) => rest);
      if (full) this.#lookAgain = true;
      for (const each of found.flatMap(({ claimed }) => claimed)) this.#begin(each);
    }
  }

  async #claimIn(partitions: number[], limit: number): Promise<Found[]> {
    // In a cluster one node may be away: what the others answer counts.
    const answers = await Promise.allSettled(partitions.map((partition) => this.#claim(partition, limit)));
    const failure = answers.find((answer) => answer.status === "rejected");
    if (failure) this.#warn(failure.reason);
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  async #claim(partition: number, limit: number): Promise<Found> {
    const { redis, keys } = this.deps;
    const { failing, busy } = this.#receivers.full();
    const args = [limit, this.settings.leaseMs, LATER_MS, failing.length, ...failing, ...busy];
    const answer = await scripts.claim.run(redis, keys.in(partition, "webhooks"), ...args);
    const [rest, ...rows] = answer as [number, ...[string, number, string][]];
    return {
      claimed: rows.map(([runId, tries, address]) => ({ runId, partition, tries, address })),
      rest: rest === 1,
    };
  }

  #begin(claimed: Claimed): void {
    const { address } = claimed;
    const work = this.#receivers.begin(address)
      ? this.#deliver(claimed).then((well) => this.#receivers.end(address, well))
      : this.#putBack(claimed);
    const done = work
      .catch((error) => this.#warn(error))
      .then(() => {
        this.#posts.delete(done);
        if (this.#more) this.look();
      });
    this.#posts.add(done);
  }

  /** @returns whether the receiver answered; undefined where nobody knows. Never rejects: its receiver has a slot back. */
  async #deliver(claimed: Claimed): Promise<boolean | undefined> {
    const { runId, partition, address } = claimed;
    try {
      const told = await this.deps.redis.hgetall(this.deps.keys.in(partition, "webhook", runId));
      // Another one has posted it since.
      if (told.webhook === undefined) return undefined;
      const posted = await this.deps.post(address, webhookBody(runId, told, new Date()), this.#cut.signal);
      await this.#note(claimed, posted);
      return posted.kind === "delivered" || !posted.mayTryAgain;
    } catch (error) {
      this.#warn(error);
      return undefined;
    }
  }

  async #note(claimed: Claimed, posted: Posted): Promise<void> {
    const { log } = this.deps;
    const { runId, tries, address } = claimed;
    // Neither the path nor what was sent: both may hold secrets.
    const about = { runId, host: URL.canParse(address) ? new URL(address).host : "", tries };
    if (posted.kind === "delivered") {
      log.info({ event: "webhook_sent", ...about, status: posted.status }, "webhook sent");
      return await this.#settle(claimed);
    }
    if (this.#cut.signal.aborted) return await this.#putBack(claimed);
    const { reason } = posted;
    const pauseMs = posted.mayTryAgain ? this.#pausesMs[tries - 1] : undefined;
    if (pauseMs === undefined) {
      log.error({ event: "webhook_given_up", ...about, reason }, `webhook given up: ${reason}`);
      return await this.#settle(claimed);
    }
    log.warn({ event: "webhook_failed", ...about, reason }, `webhook failed: ${reason}; it is sent again`);
    // Those of one outage don't come back in step.
    await this.#settle(claimed, Math.round(pauseMs * (0.8 + 0.4 * Math.random())));
  }

  /** Nothing was sent, or nobody knows: it is due at once, and this was no try. */
  #putBack(claimed: Claimed): Promise<void> {
    return this.#settle(claimed, 0, true);
  }

  async #settle({ runId, partition, tries }: Claimed, againMs?: number, uncounted = false): Promise<void> {
    const { redis, keys } = this.deps;
    const args = [runId, tries, againMs ?? "", uncounted ? 1 : 0];
    await scripts.settle.run(redis, keys.in(partition, "webhooks"), ...args);
  }

  /** What is claimed is due again when its lease ends. */
  #warn(error: unknown): void {
    // Not its message: of a record that can't be read it would show a part.
    const reason = error instanceof Error ? error.name : typeof error;
    this.deps.log.warn({ event: "webhooks_waiting", reason }, "webhooks wait: they could not be read or settled");
  }
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
