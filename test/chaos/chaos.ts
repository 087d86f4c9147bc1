/** One run: a form of Redis, a topology on it, load, faults, quiet, audit, verdict. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { check } from "./checker.js";
import type { Site } from "./client.js";
import { playFaults, ROUND_SECONDS } from "./faults.js";
import { type RedisForm, startForm } from "./forms.js";
import { emptyHistory, type History, writeHistory } from "./history.js";
import { startLoad } from "./load.js";
import { audit, isQuiet, takeSamples } from "./look.js";
import type { ChaosOptions } from "./options.js";
import { randomFrom } from "./random.js";
import { hasFailed, type Report, reportOf } from "./report.js";
import { type ChaosTopology, startTopology } from "./topology.js";

const SETTINGS = { leaseMs: 3_000, heartbeatMs: 1_000, maxFailures: 3, slots: 10 };
const SERVERS = 2;
const WORKERS = 3;
const USERS = 14;
/** After the last fault: leases expire, three times at worst, and what was queued runs. */
const SETTLE_MS = 45_000;

/**
 * @param app the folder of the build @param tell hears what is going on
 * @returns the report; where it failed the records are kept in a folder that `tell` names
 */
export async function runChaos(options: ChaosOptions, app: string, tell: (line: string) => void): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "switchyard-chaos-"));
  const history = emptyHistory(options.form, SETTINGS);
  const form = await startForm(options.form);
  let topology: ChaosTopology | undefined;
  try {
    topology = await startTopology({ app, form, history, folder, servers: SERVERS, workers: WORKERS });
    const report = await play(options, { form, topology, history, folder, tell });
    if (hasFailed(report)) tell(`records and logs: ${folder}`);
    else await rm(folder, { recursive: true });
    return report;
  } finally {
    await topology?.stop();
    await form.stop();
  }
}

interface Stage {
  form: RedisForm;
  topology: ChaosTopology;
  history: History;
  folder: string;
  tell: (line: string) => void;
}

async function play(options: ChaosOptions, { form, topology, history, folder, tell }: Stage): Promise<Report> {
  const random = randomFrom(options.seed);
  const giveUp = new AbortController();
  const sampled = new AbortController();
  const site: Site = { url: topology.url, history, random: random.fork(), giveUp: giveUp.signal };
  history.begun = Date.now();
  const sampling = takeSamples(form, history, sampled.signal);
  const load = startLoad(site, USERS);
  const rounds = Math.max(1, Math.floor(options.seconds / ROUND_SECONDS));
  const stage = { topology, form, history, random: random.fork() };
  const roundMs = (options.seconds * 1000) / rounds;
  await Promise.all([playFaults(stage, rounds, roundMs), delay(options.seconds * 1000)]);
  history.ended = Date.now();

  tell("faults are over; waiting until nothing is open");
  const settled = setTimeout(() => {
    tell("some clients wait in vain; they give up");
    giveUp.abort();
  }, SETTLE_MS);
  await load.finish();
  clearTimeout(settled);
  for (const deadline = Date.now() + SETTLE_MS; !(await isQuiet(form)) && Date.now() < deadline; ) await delay(100);
  tell("auditing");
  sampled.abort();
  await sampling;
  const held = await audit(form, topology.url);
  const report = reportOf(options, load.played, history, held, check(history, held));
  if (hasFailed(report)) writeHistory(join(folder, "history.jsonl"), history, held);
  return report;
}
