/**
 * On ECS a worker that executes runs asks not to be chosen when tasks are taken away: by scale-in or by a deploy.
 *   free ──busy──▶ protected ──expires──▶ lapsed ──after a while, still busy──▶ protected
 *     ◀──idle for a while──┘◀──────────────┘
 * One that gives way to workers of a later revision drops it as soon as its last run has left, and takes none.
 *
 * A protection is never renewed before it expired: a worker that is never idle would hold a deploy open for ever. While it
 * has lapsed ECS may stop the task, and its runs move on. It is dropped only after some idle seconds, because the agent
 * limits how often it is asked, and runs may be short.
 *
 * The endpoint is ECS's own (`$ECS_AGENT_URI/task-protection/v1/state`); elsewhere there is none and nothing to do.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../telemetry/log.js";

export interface TaskProtection {
  /** The worker has taken its first run. */
  busy(): void;
  /** The worker has no run any more. */
  idle(): void;
  /** Whether workers of a later revision take over: no protection is taken then. */
  giveWay(gives: boolean): void;
  /** Drops it at once: the worker is done. */
  end(): Promise<void>;
}

export interface TaskProtectionOptions {
  /** ECS_AGENT_URI; undefined outside of ECS. */
  agentUri: string | undefined;
  /** How long one protection lasts, 1 to 2880. */
  minutes: number;
  log: Log;
  /** Hears how often the agent has refused so far, or did not answer. */
  onRefused?: (times: number) => void;
  /** From an expiry to the next protection of a worker that is still busy. */
  lapseMs?: number;
  /** Idle for so long, it is dropped. */
  idleMs?: number;
  /** ECS counts in minutes; tests don't wait for one. */
  minuteMs?: number;
}

const LAPSE_MS = 90_000;
const IDLE_MS = 10_000;
const MINUTE_MS = 60_000;
const ANSWERS_WITHIN_MS = 5_000;

export function createTaskProtection(options: TaskProtectionOptions): TaskProtection {
  const { agentUri, minutes, log, lapseMs = LAPSE_MS, idleMs = IDLE_MS, minuteMs = MINUTE_MS } = options;
  if (agentUri === undefined) return { busy() {}, idle() {}, giveWay() {}, async end() {} };

  let isBusy = false;
  let givesWay = false;
  let refused = 0;
  let ended = false;
  /** Wakes the loop when something changed that it waits on. */
  let changed = new AbortController();
  const change = () => {
    changed.abort();
    changed = new AbortController();
  };
  const pause = (ms: number) => delay(ms, undefined, { signal: changed.signal, ref: false }).catch(() => {});
  const until = async (holds: () => boolean, withinMs = 2 ** 31 - 1) => {
    const deadline = performance.now() + withinMs;
    while (!holds() && !ended && performance.now() < deadline) await pause(deadline - performance.now());
  };

  const set = async (enabled: boolean) => {
    if (await setProtection(agentUri, enabled ? minutes : undefined, log)) return;
    refused++;
    options.onRefused?.(refused);
  };

  const run = async () => {
    while (!ended) {
      await until(() => isBusy && !givesWay);
      if (ended) return;
      await set(true);
      const expires = performance.now() + minutes * minuteMs;
      while (!ended && performance.now() < expires) {
        await until(() => !isBusy, expires - performance.now());
        await until(() => isBusy || givesWay, Math.min(idleMs, expires - performance.now()));
        if (!isBusy && performance.now() < expires) break;
      }
      if (!isBusy || ended) await set(false);
      else await until(() => !isBusy, lapseMs);
    }
  };
  const running = run();

  return {
    busy() {
      isBusy = true;
      change();
    },
    idle() {
      isBusy = false;
      change();
    },
    giveWay(gives) {
      givesWay = gives;
      change();
    },
    async end() {
      ended = true;
      change();
      await running;
    },
  };
}

/**
 * A refusal changes nothing for the runs: they go on, and are handed over if the task is stopped.
 * @returns whether it is set
 */
async function setProtection(agentUri: string, minutes: number | undefined, log: Log): Promise<boolean> {
  const body =
    minutes === undefined ? { ProtectionEnabled: false } : { ProtectionEnabled: true, ExpiresInMinutes: minutes };
  try {
    const response = await fetch(`${agentUri}/task-protection/v1/state`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWERS_WITHIN_MS),
    });
    const answer = (await response.json()) as { failure?: { Reason?: string }; error?: { Code?: string } };
    const refusal = answer.failure?.Reason ?? answer.error?.Code ?? (response.ok ? undefined : String(response.status));
    if (refusal === undefined) log.info({ event: "task_protection", ...body }, "task protection set");
    else log.warn({ event: "task_protection_refused", ...body, reason: refusal }, "task protection refused");
    return refusal === undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ event: "task_protection_refused", ...body, reason }, "the ECS agent did not answer");
    return false;
  }
}
