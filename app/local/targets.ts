/**
 * The servers behind the local load balancer, and which of them may get a request.
 *
 *   added ──▶ healthy ──(refused a connection, or two checks failed)──▶ ejected ──(a check passed)──▶ healthy
 *
 * A check is `GET /ok`, every second, as the ALB's: it asks whether the process serves, not whether Redis does.
 */
import { get } from "node:http";

export const HOST = "127.0.0.1";

export interface Target {
  name: string;
  port: number;
}

const CHECK_EVERY_MS = 1_000;
const CHECK_TIMEOUT_MS = 2_000;
const FAILURES_TO_EJECT = 2;

interface Entry extends Target {
  healthy: boolean;
  failures: number;
  checking: boolean;
}

export class Targets {
  private readonly entries = new Map<string, Entry>();
  private turn = 0;
  private readonly timer = setInterval(() => this.checkAll(), CHECK_EVERY_MS);

  /** @param changed called when a target is ejected or comes back */
  constructor(private readonly changed: (target: Target, healthy: boolean) => void) {}

  /** Adds a server that is known to be healthy, or tells its new port. */
  set(name: string, port: number): void {
    this.entries.set(name, { name, port, healthy: true, failures: 0, checking: false });
  }

  remove(name: string): void {
    this.entries.delete(name);
  }

  /** The next healthy target in turn, other than those already tried. */
  next(tried: ReadonlySet<number> = new Set()): Target | undefined {
    const healthy = [...this.entries.values()].filter((entry) => entry.healthy && !tried.has(entry.port));
    return healthy[this.turn++ % healthy.length];
  }

  /** Takes the target at `port` out until a check passes. */
  eject(port: number): void {
    for (const entry of this.entries.values()) if (entry.port === port) this.mark(entry, false);
  }

  close(): void {
    clearInterval(this.timer);
    this.entries.clear();
  }

  private checkAll(): void {
    for (const entry of this.entries.values()) if (!entry.checking) this.check(entry);
  }

  private async check(entry: Entry): Promise<void> {
    entry.checking = true;
    const passed = await answersOk(entry.port);
    entry.checking = false;
    // It may have been removed or replaced meanwhile.
    if (this.entries.get(entry.name) !== entry) return;
    entry.failures = passed ? 0 : entry.failures + 1;
    if (passed) this.mark(entry, true);
    else if (entry.failures >= FAILURES_TO_EJECT) this.mark(entry, false);
  }

  private mark(entry: Entry, healthy: boolean): void {
    if (entry.healthy === healthy) return;
    entry.healthy = healthy;
    this.changed(entry, healthy);
  }
}

/** Whether the role at `port` answers its health check, `GET /ok`, with 200. */
export async function answersOk(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const request = get({ host: HOST, port, path: "/ok", agent: false, timeout: CHECK_TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy(new Error("timeout")));
    request.once("error", () => resolve(false));
  });
}
