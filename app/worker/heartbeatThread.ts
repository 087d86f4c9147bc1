/**
 * The heartbeat's thread of a worker, with two connections to Redis of its own. While the main thread's loop is blocked
 * by a graph, this one
 *   renews the leases, hears cancels, and ends cancelled runs that the main thread does not end (`leases.ts`);
 *   serves health;
 *   says of which revision the worker is (`revisions.ts`).
 * A loop that stands still for longer than BLOCKED_LOOP_SECONDS will not turn again: health turns bad, the runs are given
 * up, and the process ends. Which of them blocks the loop can't be known, so each counts a failure: the one that does
 * would block one worker after the other for ever.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { connect, ready } from "../redis/connect.js";
import { Keys } from "../redis/partitions.js";
import { type Confirm, type Replication, startReplication } from "../redis/replication.js";
import { CUT } from "../redis/watchdog.js";
import { Attempts } from "../runs/attempts.js";
import { hearCancels } from "../runs/control.js";
import { serveHealth } from "../telemetry/health.js";
import { createLog } from "../telemetry/log.js";
import type { FromThread, Report, ThreadData, ToThread, WorkerCounts } from "./heartbeatWords.js";
import { Leases } from "./leases.js";
import { LoopWatch } from "./loopWatch.js";
import { Registration } from "./revisions.js";
import { workerMetrics } from "./workerMetrics.js";

const REDIS_ANSWERS_WITHIN_MS = 10_000;
/** A Redis that does not answer a PING within this is away. */
const PONG_WITHIN_MS = 1_000;
/** A beat that Redis did not answer is repeated soon: leases go on running out. */
const AFTER_FAILURE_MS = 1_000;
/** What Redis gets to take the runs back before the process ends. */
const HAND_BACK_MS = 3_000;
const LOOK_MS = 250;

/** The entry of a thread always has one. */
const port = parentPort as MessagePort;
const data = workerData as ThreadData;
const tell = (word: FromThread) => port.postMessage(word);
const { level, stack, instance } = data.log;
const log = createLog(level, { stack, instance, role: "worker" });

const redis = connect(data.login, "heartbeat", log);
const subscriber = connect(data.login, "subscriber", log);
const keys = new Keys(data.keyPrefix);
/** Started once Redis answers. */
let replication: Replication | undefined;
const confirm: Confirm = async (key, write) => await replication?.confirm(key, write);
const leases = new Leases({
  redis,
  keys,
  attempts: new Attempts(redis, keys, confirm),
  confirm,
  settings: data,
  tell: (attention) => tell({ kind: "attention", attention }),
  log,
});
const registration = data.task && new Registration(redis, keys, data.task, `${instance}.${process.pid}`);

let report: Report = {};
/** Of the main thread. */
let counts: WorkerCounts = { slots: 0, slotsUsed: 0, left: {}, watchdogCuts: 0, unconfirmedWrites: 0, swept: {} };
let watchdogCuts = 0;
for (const connection of [redis, subscriber]) connection.on(CUT, () => watchdogCuts++);
const metrics = workerMetrics({
  counts: () => counts,
  own: () => ({ watchdogCuts, unconfirmedWrites: replication?.unconfirmed ?? 0 }),
  protectionRefused: () => report.protectionRefused ?? 0,
  redisUp: () => awaySince === undefined,
});
let unfit: string | undefined;
/** Since when Redis has not answered. */
let awaySince: number | undefined;
let toldOutage = false;
let nextBeat: NodeJS.Timeout | undefined;
let beating = false;

function answered(): void {
  awaySince = undefined;
  toldOutage = false;
}

async function redisAnswers(): Promise<boolean> {
  const pong = redis.ping().then(
    () => true,
    () => false,
  );
  return await Promise.race([pong, delay(PONG_WITHIN_MS, false)]);
}

async function beat(): Promise<void> {
  // A beat that Redis doesn't answer must not pile up others behind it.
  if (beating) return;
  beating = true;
  clearTimeout(nextBeat);
  const asked = performance.now();
  const renewed = await leases.renew();
  if (renewed) answered();
  else awaySince ??= asked;
  if (renewed) await register();
  beating = false;
  nextBeat = setTimeout(beat, renewed ? data.heartbeatMs : Math.min(data.heartbeatMs, AFTER_FAILURE_MS));
}

let superseded: number | undefined;
let hasLeft = false;

async function register(): Promise<void> {
  if (!registration || hasLeft) return;
  try {
    const by = await registration.renew(data.leaseMs);
    if (by !== superseded) tell({ kind: "superseded", by });
    superseded = by;
  } catch (error) {
    log.warn({ event: "registration_failed", reason: String(error) }, "could not register");
  }
}

async function leave(): Promise<void> {
  if (!registration || hasLeft) return;
  hasLeft = true;
  // Redis forgets one that could not leave.
  await registration.leave().catch(() => {});
}

function look(watch: LoopWatch): void {
  const away = awaySince !== undefined || redis.status !== "ready";
  const blockedMs = watch.look(away);
  if (blockedMs >= blockedLimitMs) void giveUp(watch);
  const outageMs = performance.now() - (awaySince ?? performance.now());
  if (toldOutage || outageMs < data.outageSeconds * 1000) return;
  toldOutage = true;
  tell({ kind: "outage" });
}

const blockedLimitMs = data.blockedLoopSeconds * 1000;
let givingUp = false;

async function giveUp(watch: LoopWatch): Promise<void> {
  if (givingUp) return;
  givingUp = true;
  // Between two beats nobody notices that a Redis whose connection stands does not answer.
  const away = !(await redisAnswers());
  if (watch.look(away) < blockedLimitMs) {
    givingUp = false;
    return;
  }
  unfit = `the event loop has not turned for ${data.blockedLoopSeconds} s`;
  log.fatal({ event: "loop_blocked", runs: leases.size, seconds: data.blockedLoopSeconds }, unfit);
  await forfeit();
  // The main thread can't end itself, and a thread can't end its process otherwise.
  process.kill(process.pid, "SIGKILL");
}

async function forfeit(): Promise<void> {
  const forfeited = Promise.all([leases.forfeit(), leave()]).catch((error: unknown) => {
    log.error({ event: "forfeit_failed", reason: String(error) }, "the runs are left to their leases");
  });
  await Promise.race([forfeited, delay(HAND_BACK_MS)]);
}

async function stop(): Promise<void> {
  await Promise.race([leave(), delay(PONG_WITHIN_MS)]);
  leases.close();
  // Ends this thread, and what it has open, but not the process.
  process.exit();
}

function heed(word: ToThread): void {
  if (word.kind === "hold") leases.hold(word.run);
  else if (word.kind === "drop") leases.drop(word.owner);
  else if (word.kind === "report") report = { ...report, ...word.report };
  else if (word.kind === "count") counts = word.counts;
  else if (word.kind === "unfit") unfit = word.reason;
  else if (word.kind === "leave") void leave();
  else if (word.kind === "forfeit") void forfeit().then(() => tell({ kind: "forfeited" }));
  else void stop();
}

/** @returns why it could not, for the main thread to end with */
async function start(): Promise<FromThread> {
  try {
    await Promise.all([redis, subscriber].map((connection) => ready(connection, REDIS_ANSWERS_WITHIN_MS)));
    replication = await startReplication(redis, data.login, log);
    await hearCancels(subscriber, keys, (attention) => leases.hear(attention));
  } catch (error) {
    return { kind: "failed", message: String(error) };
  }
  try {
    const server = await serveHealth(data.healthPort, {
      ...{ unfit: () => unfit, describe: () => report, redisAnswers },
      metrics: (format) => metrics.render(format),
    });
    const address = server.address();
    return { kind: "listening", port: typeof address === "object" && address ? address.port : 0 };
  } catch (error) {
    const { message, code, port: taken } = error as NodeJS.ErrnoException & { port?: number };
    return { kind: "failed", message, code, port: taken };
  }
}

tell(await start());
port.on("message", heed);
redis.on("close", () => {
  awaySince ??= performance.now();
});
redis.on("ready", () => void beat());
const watch = new LoopWatch(data.turns, LOOK_MS);
setInterval(() => look(watch), LOOK_MS);
nextBeat = setTimeout(beat, data.heartbeatMs);
