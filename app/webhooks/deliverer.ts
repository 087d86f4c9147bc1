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

const load = (name: string) => loadScript(new URL("./lua/", import.meta.url), name, runScriptFolder);
const scripts = { claim: load("claim_webhooks"), settle: load("settle_webhook") };

/** Posts under way in this process; a body may be as large as a request and a state. */
const SLOTS = 32;
/** Of them to one receiver, so that one which hangs leaves the others theirs. */
const SLOTS_A_RECEIVER = 8;
const BUSY_MS = 5_000;
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

export class Deliverer {
  readonly #posts = new Set<Promise<void>>();
  /** Posts under way by receiver, as the start of their addresses. */
  readonly #receivers = new Map<string, number>();
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
      const claimed = await this.#claimIn(asked, share);
      for (const each of claimed.flat()) this.#begin(each);
      const full = claimed.some(({ length }) => length === share);
      this.#more = full || asked.length < PARTITIONS;
      if (full) this.#lookAgain = true;
    }
  }

  async #claimIn(partitions: number[], limit: number): Promise<Claimed[][]> {
    // In a cluster one node may be away: what the others answer counts.
    const answers = await Promise.allSettled(partitions.map((partition) => this.#claim(partition, limit)));
    const failure = answers.find((answer) => answer.status === "rejected");
    if (failure) this.#warn(failure.reason);
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  async #claim(partition: number, limit: number): Promise<Claimed[]> {
    const { redis, keys } = this.deps;
    const busy = [...this.#receivers].flatMap(([receiver, posts]) => (posts >= SLOTS_A_RECEIVER ? [receiver] : []));
    const args = [limit, this.settings.leaseMs, BUSY_MS, ...busy];
    const rows = (await scripts.claim.run(redis, keys.in(partition, "webhooks"), ...args)) as [
      string,
      number,
      string,
    ][];
    return rows.map(([runId, tries, address]) => ({ runId, partition, tries, address }));
  }

  #begin(claimed: Claimed): void {
    const receiver = receiverOf(claimed.address);
    const others = this.#receivers.get(receiver) ?? 0;
    const isBusy = others >= SLOTS_A_RECEIVER;
    if (!isBusy) this.#receivers.set(receiver, others + 1);
    const work = (isBusy ? this.#putBack(claimed, BUSY_MS) : this.#deliver(claimed)).catch((error) =>
      this.#warn(error),
    );
    const done = work.then(() => {
      this.#posts.delete(done);
      if (!isBusy) this.#leave(receiver);
      if (this.#more) this.look();
    });
    this.#posts.add(done);
  }

  #leave(receiver: string): void {
    const others = (this.#receivers.get(receiver) ?? 1) - 1;
    if (others === 0) this.#receivers.delete(receiver);
    else this.#receivers.set(receiver, others);
  }

  async #deliver(claimed: Claimed): Promise<void> {
    const { redis, keys, log, post } = this.deps;
    const { runId, partition, tries, address } = claimed;
    const told = await redis.hgetall(keys.in(partition, "webhook", runId));
    // Another one has posted it since.
    if (told.webhook === undefined) return;
    const posted = await post(address, webhookBody(runId, told, new Date()), this.#cut.signal);
    // Neither the path nor what was sent: both may hold secrets.
    const about = { runId, host: URL.canParse(address) ? new URL(address).host : "", tries };
    if (posted.kind === "delivered") {
      log.info({ event: "webhook_sent", ...about, status: posted.status }, "webhook sent");
      return await this.#settle(claimed);
    }
    const { reason } = posted;
    if (this.#cut.signal.aborted) return await this.#putBack(claimed, 0);
    const pauseMs = posted.mayTryAgain ? this.#pausesMs[tries - 1] : undefined;
    if (pauseMs === undefined) {
      log.error({ event: "webhook_given_up", ...about, reason }, `webhook given up: ${reason}`);
      return await this.#settle(claimed);
    }
    log.warn({ event: "webhook_failed", ...about, reason }, `webhook failed: ${reason}; it is sent again`);
    // Those of one outage don't come back in step.
    await this.#settle(claimed, Math.round(pauseMs * (0.8 + 0.4 * Math.random())));
  }

  /** Nothing was sent, or nobody knows: it is due again, and counts as no try. */
  #putBack(claimed: Claimed, againMs: number): Promise<void> {
    return this.#settle(claimed, againMs, true);
  }

  async #settle({ runId, partition, tries }: Claimed, againMs?: number, uncounted = false): Promise<void> {
    const { redis, keys } = this.deps;
    const args = [runId, tries, againMs ?? "", uncounted ? 1 : 0];
    await scripts.settle.run(redis, keys.in(partition, "webhooks"), ...args);
  }

  /** What is claimed is due again when its lease ends. */
  #warn(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.deps.log.warn({ event: "webhooks_waiting", reason }, "webhooks wait: Redis does not answer");
  }
}

function receiverOf(address: string): string {
  return /^\w+:\/\/[^/?#]+/.exec(address)?.[0] ?? address;
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
