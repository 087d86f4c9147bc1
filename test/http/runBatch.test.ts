/** A batch that goes wrong in the middle. */
import { Writable } from "node:stream";
import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { MemoryFull } from "../../app/redis/memory.js";
import { RunRefused } from "../../app/runs/types.js";
import { detailOf, post, StillRuns, startServer } from "./support.js";

/** Accepts two runs, and no third one. */
class TwoRuns extends StillRuns {
  readonly rolledBack: string[] = [];

  override async enqueue(...run: Parameters<StillRuns["enqueue"]>) {
    const accepted = await super.enqueue(...run);
    if (this.accepted.length <= 2) return accepted;
    this.accepted.pop();
    throw new MemoryFull();
  }

  override async cancel(threadId: string, runId: string) {
    if (!this.accepted.some((run) => run.runId === runId)) throw new RunRefused("run_missing", "no such run");
    this.rolledBack.push(runId);
    if (this.rolledBack.length === 2) throw new Error("Connection is closed.");
    await super.cancel(threadId, runId);
  }
}

test("takes back what it had accepted, and says why it was refused", async () => {
  const lines: string[] = [];
  const sink = new Writable({ write: (line, _encoding, done) => done(lines.push(String(line)) ? undefined : null) });
  const runs = new TwoRuns();
  const at = await startServer({ runs, log: pino(sink) });
  onTestFinished(() => at.close());
  const answer = await post(
    `${at.url}/runs/batch`,
    [1, 2, 3].map((n) => ({ assistant_id: "echo", input: n })),
  );
  expect([answer.status, await detailOf(answer)]).toEqual([503, expect.stringContaining("memory")]);
  expect(runs.rolledBack).toEqual(runs.accepted.map(({ runId }) => runId));
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ event: "batch_left", runs: 1 }),
  );
});
