/** The faults: what each does, when they come, and how long each lasted. */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisForm } from "./forms.js";
import type { Fault, Form, History } from "./history.js";
import type { Random } from "./random.js";
import type { ChaosTopology, Instance } from "./topology.js";

interface Stage {
  topology: ChaosTopology;
  form: RedisForm;
  history: History;
  random: Random;
  /** Of processes that ended: the next fault does not wait until they serve. */
  replacements: Promise<void>[];
}

/** Does it, and resolves when what was hurt is whole again. @returns what it was done to */
type Act = (stage: Stage, note: (target: string) => Fault) => Promise<void>;

const NETWORK_CUT_MS = { least: 300, most: 1_000 };
const NETWORK_DELAY_MS = { least: 30, most: 120 };
const NETWORK_FAULT_MS = { least: 800, most: 2_000 };
const REDIS_PAUSE_MS = { least: 300, most: 1_200 };

const ofProcesses: Record<string, Act> = {
  "kill-worker": (stage, note) => replaced(stage, "worker", "SIGKILL", note),
  "kill-server": (stage, note) => replaced(stage, "server", "SIGKILL", note),
  "term-worker": (stage, note) => replaced(stage, "worker", "SIGTERM", note),
  "term-server": (stage, note) => replaced(stage, "server", "SIGTERM", note),
  /** For longer than its lease: its runs are taken over, and it must notice when it wakes. */
  async "stop-worker"(stage, note) {
    const worker = stage.random.pick(await living(stage, "worker"));
    note(worker.name);
    worker.child.kill("SIGSTOP");
    await delay(stage.history.leaseMs + stage.random.between(500, 1_200));
    worker.child.kill("SIGCONT");
  },
};

const ofRedis: Record<string, Act> = {
  async "kill-connections"({ form }, note) {
    note("redis");
    for (const node of await form.masters())
      for (const type of ["NORMAL", "PUBSUB"]) await node.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "YES");
  },
  async "pause-redis"({ form, random }, note) {
    const pid = random.pick(form.pids());
    note("redis");
    process.kill(pid, "SIGSTOP");
    await delay(random.between(REDIS_PAUSE_MS.least, REDIS_PAUSE_MS.most));
    process.kill(pid, "SIGCONT");
  },
  async "cut-network"(stage, note) {
    const { proxy, name } = stage.random.pick(await living(stage, "server", "worker"));
    note(name);
    proxy.refuse(true);
    proxy.cut();
    await delay(stage.random.between(NETWORK_CUT_MS.least, NETWORK_CUT_MS.most));
    proxy.refuse(false);
  },
  async "delay-network"(stage, note) {
    const { proxy, name } = stage.random.pick(await living(stage, "server", "worker"));
    note(name);
    proxy.delay(stage.random.between(NETWORK_DELAY_MS.least, NETWORK_DELAY_MS.most));
    await delay(stage.random.between(NETWORK_FAULT_MS.least, NETWORK_FAULT_MS.most));
    proxy.delay(0);
  },
  /** Open and silent, as when a firewall forgot the connection; what was sent arrives when it is over. */
  async "silent-network"(stage, note) {
    const { proxy, name } = stage.random.pick(await living(stage, "server", "worker"));
    note(name);
    proxy.silence(true);
    await delay(stage.random.between(NETWORK_FAULT_MS.least, NETWORK_FAULT_MS.most));
    proxy.silence(false);
  },
};

async function replaced(
  stage: Stage,
  role: Instance["role"],
  signal: "SIGKILL" | "SIGTERM",
  note: (target: string) => Fault,
): Promise<void> {
  const instance = stage.random.pick(await living(stage, role));
  const fault = note(instance.name);
  stage.replacements.push(stage.topology.replace(instance, signal));
  // What a killed process did is over at once; who is told to stop is at it until it has ended.
  if (signal === "SIGTERM") await instance.exited;
  fault.until = Date.now();
}

/** Faults may come faster than processes start. */
async function living({ topology }: Stage, ...roles: Instance["role"][]): Promise<Instance[]> {
  for (;;) {
    const found = roles.flatMap((role) => topology.instances(role));
    if (found.length > 0) return found;
    await delay(50);
  }
}

export const ROUND_SECONDS = 20;

/** Names of all kinds that this form has. */
export function kindsOf(form: Form): string[] {
  const own = { standalone: ["restart-redis"], failover: ["failover"], cluster: ["lose-master"] };
  return [...Object.keys(ofProcesses), ...Object.keys(ofRedis), ...own[form]];
}

/**
 * Rounds in which each kind comes once, in an order that the seed draws: faults of processes one after the other, and
 * beside them those of Redis and the network. Resolves when the last one is over.
 */
export async function playFaults(given: Omit<Stage, "replacements">, rounds: number, roundMs: number): Promise<void> {
  const stage: Stage = { ...given, replacements: [] };
  const own = Object.entries(stage.form.faults).map(([kind, act]): [string, Act] => [
    kind,
    async ({ random }, note) => {
      note("redis");
      await act(random.between(0, 100));
    },
  ]);
  await Promise.all([
    playTrack(stage, Object.entries(ofProcesses), rounds, roundMs),
    playTrack(stage, [...Object.entries(ofRedis), ...own], rounds, roundMs),
  ]);
  await Promise.all(stage.replacements);
}

async function playTrack(stage: Stage, acts: [string, Act][], rounds: number, roundMs: number): Promise<void> {
  const track = { ...stage, random: stage.random.fork() };
  const begun = Date.now();
  const order = Array.from({ length: rounds }, () => track.random.shuffled(acts)).flat();
  for (const [at, [kind, act]] of order.entries()) {
    const due = begun + (at * roundMs) / acts.length + track.random.between(0, roundMs / acts.length / 3);
    await delay(Math.max(0, due - Date.now()));
    await act(track, (target) => {
      const fault: Fault = { kind, target, from: Date.now(), until: Number.POSITIVE_INFINITY };
      stage.history.faults.push(fault);
      return fault;
    });
    const fault = stage.history.faults.findLast((other) => other.kind === kind);
    if (fault?.until === Number.POSITIVE_INFINITY) fault.until = Date.now();
  }
}
