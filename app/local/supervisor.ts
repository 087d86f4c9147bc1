/**
 * Keeps the roles running.
 *
 *   starting ──▶ healthy ──(ended)──▶ waiting, 0.25 s doubling to 10 s ──▶ starting
 *      └──(ended before all were healthy for the first time, because of its configuration, or for the third time)──▶ the start fails
 *
 * Once all have been healthy, whatever ends is started again for as long as it takes: a mistake in a file that is being
 * edited must not take the topology down.
 */
import { EventEmitter, once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { StartFailure } from "./failure.js";
import { type End, type Instance, launch, type Role } from "./instance.js";

export interface SupervisorEvents {
  /** A line that a role wrote. */
  line(name: string, text: string): void;
  /** What the supervisor did or saw. */
  progress(name: string, text: string): void;
  /** A role is healthy, at this port. */
  up(name: string, port: number): void;
  /** A role has ended. */
  down(name: string): void;
}

export interface Supervisor {
  /**
   * Starts all; resolves when each has been healthy.
   * @throws StartFailure with the role's own exit code 2 or 3, or 1 when it crashes or doesn't become healthy
   */
  start(): Promise<void>;
  /** SIGTERM to all, SIGKILL to what is left after `graceMs`; resolves when all have ended. */
  stop(graceMs: number): Promise<void>;
  /** SIGKILL to all. */
  kill(): void;
}

const RESTART_MS = { first: 250, most: 10_000 };
/** A role that was healthy for so long starts again without a long wait. */
const STEADY_MS = 30_000;
const CRASHES_AT_START = 3;
const START_LIMIT_MS = 120_000;
const PROGRESS_EVERY_MS = 2_000;

export function createSupervisor(roles: Role[], events: SupervisorEvents): Supervisor {
  const running = new Map<string, Instance>();
  const waitedFor = new Set(roles.map((role) => role.name));
  const stopping = new AbortController();
  let loops: Promise<void>[] = [];
  const start = new EventEmitter<{ over: [failure?: StartFailure] }>();

  const keep = async (role: Role) => {
    let pauseMs = RESTART_MS.first;
    for (let crashes = 1; !stopping.signal.aborted; crashes++) {
      const instance = launch(role, (line) => events.line(role.name, line));
      running.set(role.name, instance);
      const port = await instance.healthy;
      const healthyAt = performance.now();
      if (port !== undefined && !stopping.signal.aborted) {
        events.up(role.name, port);
        waitedFor.delete(role.name);
        if (waitedFor.size === 0) start.emit("over");
      }

      const end = await instance.ended;
      running.delete(role.name);
      events.down(role.name);
      if (stopping.signal.aborted) return;
      if (waitedFor.size > 0) {
        if (end.code === 2 || end.code === 3) return void start.emit("over", cannotStart(role, end, end.code));
        if (crashes === CRASHES_AT_START) return void start.emit("over", cannotStart(role, end, 1));
      }
      if (port !== undefined && performance.now() - healthyAt > STEADY_MS) pauseMs = RESTART_MS.first;
      events.progress(role.name, `ended (${inWords(end)}); starting it again in ${pauseMs / 1000} s`);
      await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, RESTART_MS.most);
    }
  };

  return {
    async start() {
      const begin = performance.now();
      loops = roles.map(keep);
      const timer = setInterval(() => {
        const seconds = Math.round((performance.now() - begin) / 1000);
        const names = [...waitedFor].join(", ");
        events.progress("switchyard", `waiting for ${names} (${seconds} s)`);
        if (seconds * 1000 >= START_LIMIT_MS)
          start.emit(
            "over",
            new StartFailure(1, `not healthy after ${seconds} s: ${names}. The log above may say why`),
          );
      }, PROGRESS_EVERY_MS);
      try {
        const [failure] = await once(start, "over", { signal: stopping.signal });
        if (failure) throw failure;
      } finally {
        clearInterval(timer);
      }
    },
    async stop(graceMs) {
      stopping.abort();
      for (const instance of running.values()) instance.signal("SIGTERM");
      const limit = setTimeout(() => {
        for (const [name, instance] of running) {
          events.progress(name, `has not drained within ${graceMs / 1000} s; killing it`);
          instance.signal("SIGKILL");
        }
      }, graceMs);
      await Promise.all(loops);
      clearTimeout(limit);
    },
    kill() {
      for (const instance of running.values()) instance.signal("SIGKILL");
    },
  };
}

function cannotStart(role: Role, end: End, exitCode: 1 | 2 | 3): StartFailure {
  return new StartFailure(exitCode, `${role.name} can't start (${inWords(end)})\n${end.stderr}`.trimEnd());
}

function inWords({ code, signal }: End): string {
  return signal ? `killed by ${signal}` : `exit code ${code}`;
}
