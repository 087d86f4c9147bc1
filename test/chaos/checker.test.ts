/** The checker sees what it should: one wrong history for each way in which an invariant can break, and a right one. */
import { expect, test } from "vitest";
import { check } from "./checker.js";
import { at, CANCELLED, FIRST, type Recorded, recorded, SECOND, THREAD } from "./recorded.js";

test("a history in which all went well has no violation, and its figures", () => {
  const { history, audit } = recorded();
  expect(check(history, audit)).toEqual({
    violations: [],
    losses: [],
    eventsChecked: 8,
    cancelMs: { calm: [300], disturbed: [] },
    takeoverMs: [],
  });
});

/** What must be there, or the case itself is wrong. */
function the<T>(value: T | undefined): T {
  if (value === undefined) expect.fail("the recorded history has no such entry");
  return value;
}

const seenBy = ({ history }: Recorded) => the(history.followers[0]).seen;
const streamOf = ({ audit }: Recorded, runId: string) => the(audit.streams[runId]);
const runOf = ({ audit }: Recorded, runId: string) => the(audit.runs[runId]);

const wrong: [invariant: string, what: string, change: (of: Recorded) => unknown, says: RegExp][] = [
  ["I1", "a run that never ended", (of) => Object.assign(runOf(of, FIRST), { status: "running" }), /still running/],
  [
    "I1",
    "two ends",
    (of) => streamOf(of, FIRST).push({ id: "2-3", event: "end", number: 11, data: "", status: "success" }),
    /2 end events/,
  ],
  [
    "I1",
    "an end that says another status",
    (of) => Object.assign(runOf(of, SECOND), { status: "error" }),
    /its end event says success/,
  ],
  [
    "I1",
    "an accepted run that is gone",
    ({ audit }) => {
      delete audit.runs[SECOND];
      delete audit.streams[SECOND];
      audit.steps[THREAD] = [`${FIRST}:1`, `${FIRST}:2`];
    },
    /nothing is known of it/,
  ],
  [
    "I1",
    "a rolled back run that stayed",
    ({ history }) => Object.assign(the(history.cancels[0]), { action: "rollback" }),
    /rolled back .* still there/,
  ],
  [
    "I1",
    "a run that survived the strategy rollback",
    (of) => {
      runOf(of, SECOND).strategy = "rollback";
      the(of.history.asked[1]).strategy = "rollback";
    },
    /was open when .* rolled it back/,
  ],
  [
    "I2",
    "two runs of a thread at a time",
    (of) => Object.assign(the(streamOf(of, SECOND)[1]), { number: 4.5 }),
    /before .* ended/,
  ],
  [
    "I2",
    "a run that stores after the next one has",
    ({ audit }) => the(audit.checkpoints[THREAD]).push({ id: "d", run: FIRST, attempt: 2, owner: "y.1" }),
    /after another run/,
  ],
  [
    "I2",
    "two owners of one attempt",
    ({ audit }) => the(audit.checkpoints[THREAD]).push({ id: "d", run: SECOND, attempt: 1, owner: "z.9" }),
    /two owners/,
  ],
  [
    "I3",
    "an event of an earlier attempt",
    (of) => streamOf(of, FIRST).splice(4, 0, { id: "1-2", event: "values", number: 3.5, data: "" }),
    /1-2 came after 2-0/,
  ],
  [
    "I3",
    "a checkpoint of an earlier attempt",
    ({ audit }) => the(audit.checkpoints[THREAD]).splice(2, 0, { id: "d", run: FIRST, attempt: 1, owner: "x.1" }),
    /attempt 1 .* after attempt 2/,
  ],
  ["I3", "a step done twice", ({ audit }) => the(audit.steps[THREAD]).splice(1, 0, `${FIRST}:1`), /steps 1, 1, 2/],
  ["I3", "a step that is missing", ({ audit }) => the(audit.steps[THREAD]).pop(), /1 of its 2 steps/],
  ["I4", "a repeated event", (of) => seenBy(of).splice(2, 0, the(seenBy(of)[1])), /repeated/],
  ["I4", "a gap", (of) => seenBy(of).splice(3, 1), /a gap/],
  ["I4", "a missing beginning", (of) => seenBy(of).shift(), /missed 1-0/],
  [
    "I4",
    "another event under the same id",
    (of) => Object.assign(the(seenBy(of)[1]), { data: "other" }),
    /another values/,
  ],
  [
    "I4",
    "an end that is not last",
    (of) => seenBy(of).push({ id: "2-3", event: "values", data: "", at: at(9_000) }),
    /after the end/,
  ],
  [
    "I4",
    "a client that waits in vain",
    ({ history }) => Object.assign(the(history.followers[0]), { outcome: "open" }),
    /in vain/,
  ],
  [
    "I4",
    "a place that was lost without a failover",
    (of) => seenBy(of).splice(2, 0, { event: "metadata", data: "", at: at(2_000) }),
    /lost its place/,
  ],
  ["I4", "an event that the stream lacks", (of) => streamOf(of, FIRST).splice(4, 1), /events are missing/],
  [
    "I5",
    "a run that overtook an earlier one",
    (of) => Object.assign(runOf(of, SECOND), { due: at(-5) }),
    /began before/,
  ],
  ["I6", "too many failures", (of) => Object.assign(runOf(of, FIRST), { failures: 4 }), /4 failures/],
  [
    "I6",
    "a graph's error that was tried again",
    (of) => Object.assign(the(streamOf(of, FIRST)[2]), { event: "error" }),
    /after its graph had thrown/,
  ],
  [
    "I7",
    "a cancel that took too long",
    (of) => Object.assign(runOf(of, CANCELLED), { updatedAt: at(7_100) }),
    /1090 ms after its cancel/,
  ],
  [
    "I7",
    "an event after the end",
    (of) => streamOf(of, CANCELLED).push({ id: "1-2", event: "values", number: 11, data: "" }),
    /after its end/,
  ],
  [
    "I8",
    "a run left in a queue",
    ({ audit }) => Object.assign(audit.queues, { "{sw:1}:leases": [FIRST] }),
    /leases still holds/,
  ],
  [
    "I8",
    "a run in two queues while load ran",
    ({ history }) =>
      history.samples.push({
        at: at(500),
        partition: 1,
        ready: [],
        leased: 1,
        misplaced: [`run ${FIRST} is running and in leases+ready`],
      }),
    /leases\+ready/,
  ],
  [
    "I8",
    "a thread that is busy for ever",
    ({ audit }) => Object.assign(the(audit.threads[THREAD]), { status: "busy", active: FIRST }),
    /is busy/,
  ],
  [
    "I9",
    "a record without an end",
    ({ audit }) => Object.assign(audit.keys, { [`{sw:1}:run:${FIRST}`]: -1 }),
    /no time to live/,
  ],
  [
    "I9",
    "a key of a thread that is gone",
    ({ audit }) => Object.assign(audit.keys, { "{sw:1}:blobs:gone": -1 }),
    /does not exist/,
  ],
  [
    "I10",
    "a run that nobody claims",
    ({ history }) => {
      for (const ms of [0, 2_000, 4_000, 6_000])
        history.samples.push({ at: at(10_000 + ms), partition: 1, ready: [[SECOND, 0]], leased: 0, misplaced: [] });
    },
    /claimable for 6000 ms/,
  ],
  [
    "I12",
    "a refused run that left events",
    ({ history }) => Object.assign(the(history.asked[0]), { answer: "refused", status: 409 }),
    /left a record, events/,
  ],
  [
    "I12",
    "a cancel that was refused of a run that went on",
    ({ history }) => Object.assign(the(history.cancels[0]), { status: 409 }),
    /the run went on/,
  ],
];

test.each(wrong)("%s: %s", (invariant, _what, change, says) => {
  const of = recorded();
  change(of);
  const { violations } = check(of.history, of.audit);
  expect(violations).toContainEqual({ invariant, text: expect.stringMatching(says) });
});

const failover = { kind: "failover", target: "redis", from: at(10_000), until: at(11_000) };

test("what was logged as unconfirmed and is gone after a failover is lost in its window, and no violation", () => {
  const { history, audit } = recorded("failover");
  history.faults.push(failover);
  history.unconfirmed.push({ at: at(9_900), runs: [CANCELLED] });
  delete audit.runs[CANCELLED];
  delete audit.streams[CANCELLED];
  expect(check(history, audit)).toMatchObject({ violations: [], losses: [{ window: 1 }] });
});

test("what was confirmed and is gone after a failover is a violation", () => {
  const { history, audit } = recorded("failover");
  history.faults.push(failover);
  delete audit.runs[CANCELLED];
  delete audit.streams[CANCELLED];
  expect(check(history, audit)).toMatchObject({ violations: [{ invariant: "I1" }], losses: [] });
});

test("a client that is told after a failover that its place is gone has lost nothing silently", () => {
  const { history, audit } = recorded("failover");
  history.faults.push({ ...failover, from: at(1_000), until: at(1_100) });
  const seen = the(history.followers[0]).seen;
  seen.splice(2, 0, { event: "metadata", data: "", at: at(2_000) }, { ...the(seen[1]), at: at(2_001) });
  expect(check(history, audit).violations).toEqual([]);
});

test("a lost worker's run counts as taken over when a client sees the next attempt begin", () => {
  const { history, audit } = recorded();
  Object.assign(the(history.faults[0]), { from: at(2_000), until: at(2_001) });
  expect(check(history, audit).takeoverMs).toEqual([700]);
});

test("a cancel may take two heartbeats after a fault", () => {
  const { history, audit } = recorded();
  history.faults.push({ kind: "pause-redis", target: "redis", from: at(6_005), until: at(7_000) });
  the(audit.runs[CANCELLED]).updatedAt = at(8_500);
  expect(check(history, audit)).toMatchObject({ violations: [], cancelMs: { calm: [], disturbed: [2_500] } });
});
