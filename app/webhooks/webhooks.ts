/** What the roles need of webhooks: servers check where a run may be told, workers tell it. */
import type { Project } from "../graphs/config.js";
import type { Redis } from "../redis/connect.js";
import type { Keys } from "../redis/partitions.js";
import { RunRefused } from "../runs/types.js";
import type { Settings } from "../settings.js";
import type { Log } from "../telemetry/log.js";
import { Deliverer } from "./deliverer.js";
import { type Posted, post } from "./post.js";
import { AddressRefused, checkAddress, type WebhookRules } from "./rules.js";

type Rules = Pick<Project, "webhooks" | "http">;

/** For the core: the address as it is posted to, "" where nothing is sent. */
export function webhookCheck(project: Rules, settings: Pick<Settings, "webhookPrivateHosts">) {
  const rules = rulesOf(project, settings);
  return (address: string): string => {
    if (project.http.disabled.has("webhooks")) return "";
    try {
      return checkAddress(address, rules).href;
    } catch (error) {
      if (error instanceof AddressRefused) throw new RunRefused("webhook_refused", `body.webhook: ${error.message}`);
      throw error;
    }
  };
}

export interface WebhookDeps {
  redis: Redis;
  keys: Keys;
  project: Rules;
  /** With their variables put in. */
  headers: Record<string, string>;
  settings: Pick<Settings, "webhookPrivateHosts" | "webhookTimeoutSeconds" | "sweepMs">;
  log: Log;
}

/** Delivers from now on, until it is stopped. */
export function startWebhooks({ redis, keys, project, headers, settings, log }: WebhookDeps): Deliverer {
  const rules = rulesOf(project, settings);
  const timeoutMs = settings.webhookTimeoutSeconds * 1000;
  const refuse = async (): Promise<Posted> => ({ kind: "failed", reason: "disabled", mayTryAgain: false });
  const send = (address: string, body: string, signal: AbortSignal) =>
    post(address, body, { rules, headers, timeoutMs, signal });
  return new Deliverer(
    { redis, keys, post: project.http.disabled.has("webhooks") ? refuse : send, log },
    // A post that takes all its time, and as long for what Redis may take before and after it.
    { sweepMs: settings.sweepMs, leaseMs: Math.round(2 * timeoutMs) },
  );
}

function rulesOf({ webhooks }: Rules, { webhookPrivateHosts }: Pick<Settings, "webhookPrivateHosts">): WebhookRules {
  return { ...webhooks, privateHosts: webhookPrivateHosts };
}
