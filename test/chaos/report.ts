/** The figures of a run, and the lines that tell them. */
import type { Verdict } from "./checker.js";
import { kindsOf } from "./faults.js";
import type { Audit, History } from "./history.js";
import type { ChaosOptions } from "./options.js";

const LEAST_RUNS_A_MINUTE = 200;
const LEAST_FAULTS_A_KIND = 3;
/** A shorter run shows that the machinery works, and proves less. */
const FULL_SECONDS = 60;

export interface Report {
  form: string;
  seed: number;
  seconds: number;
  runs: { accepted: number; refused: number; unknown: number; aMinute: number; byStatus: Record<string, number> };
  played: Record<string, number>;
  faults: Record<string, number>;
  eventsChecked: number;
  followers: { clients: number; connections: number };
  longestTakeoverMs: number;
  takeovers: number;
  cancels: { count: number; p99Ms: number; longestMs: number; longestInFaultsMs: number };
  losses: Verdict["losses"];
  violations: Verdict["violations"];
  /** Why a full run counts as none. */
  shortfalls: string[];
}

export function reportOf(
  options: ChaosOptions,
  played: Record<string, number>,
  history: History,
  audit: Audit,
  verdict: Verdict,
): Report {
  const seconds = (history.ended - history.begun) / 1000;
  const answers = (answer: string) => history.asked.filter((run) => run.answer === answer).length;
  const accepted = answers("accepted");
  const { calm, disturbed } = verdict.cancelMs;
  const report: Report = {
    form: history.form,
    seed: options.seed,
    seconds: Math.round(seconds),
    runs: {
      accepted,
      refused: answers("refused"),
      unknown: answers("unknown"),
      aMinute: Math.floor((accepted * 60) / seconds),
      byStatus: counts(Object.values(audit.streams).map((stream) => stream.at(-1)?.status ?? "open")),
    },
    played,
    faults: {
      ...Object.fromEntries(kindsOf(history.form).map((kind) => [kind, 0])),
      ...counts(history.faults.map(({ kind }) => kind)),
    },
    eventsChecked: verdict.eventsChecked,
    followers: {
      clients: history.followers.length,
      connections: history.followers.reduce((sum, { connections }) => sum + connections, 0),
    },
    longestTakeoverMs: Math.max(0, ...verdict.takeoverMs),
    takeovers: verdict.takeoverMs.length,
    cancels: {
      count: calm.length + disturbed.length,
      p99Ms: quantile(calm, 0.99),
      longestMs: Math.max(0, ...calm),
      longestInFaultsMs: Math.max(0, ...disturbed),
    },
    losses: verdict.losses,
    violations: verdict.violations,
    shortfalls: [],
  };
  if (options.seconds >= FULL_SECONDS) report.shortfalls = shortfallsOf(report);
  return report;
}

function shortfallsOf({ runs, faults }: Report): string[] {
  const few = Object.entries(faults).filter(([, count]) => count < LEAST_FAULTS_A_KIND);
  return [
    ...(runs.aMinute < LEAST_RUNS_A_MINUTE ? [`${runs.aMinute} runs a minute, of ${LEAST_RUNS_A_MINUTE} wanted`] : []),
    ...few.map(([kind, count]) => `${kind} happened ${count} times, of ${LEAST_FAULTS_A_KIND} wanted`),
  ];
}

export const hasFailed = ({ violations, shortfalls }: Report) => violations.length + shortfalls.length > 0;

export function linesOf(report: Report): string[] {
  const { runs, cancels, followers } = report;
  return [
    `${report.form}, seed ${report.seed}, ${report.seconds} s`,
    `runs ${runs.accepted} accepted (${runs.aMinute} a minute), ${runs.refused} refused, ${runs.unknown} unknown; ended ${list(runs.byStatus)}`,
    `load ${list(report.played)}`,
    `faults ${list(report.faults)}`,
    `events ${report.eventsChecked} checked, of ${followers.clients} clients over ${followers.connections} connections`,
    `takeover ${report.longestTakeoverMs} ms at most, of ${report.takeovers} seen`,
    `cancel p99 ${cancels.p99Ms} ms, longest ${cancels.longestMs} ms; with a fault at the time longest ${cancels.longestInFaultsMs} ms; of ${cancels.count}`,
    ...report.losses.map(({ window, text }) => `lost in window ${window}: ${text}`),
    ...report.shortfalls,
    ...report.violations.map(({ invariant, text }) => `${invariant} ${text}`),
    `violations ${report.violations.length}`,
  ];
}

function counts(of: string[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const one of of) all[one] = (all[one] ?? 0) + 1;
  return all;
}

const list = (of: Record<string, number>) =>
  Object.entries(of)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");

function quantile(of: number[], share: number): number {
  return of.toSorted((a, b) => a - b)[Math.min(of.length - 1, Math.floor(of.length * share))] ?? 0;
}
