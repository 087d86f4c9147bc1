import fc from "fast-check";
import { expect, test } from "vitest";
import { type Profile, profiles, rulesOf } from "../../infra/profiles.js";
import { type Timing, timingBudget } from "../../infra/timing.js";

const choices = fc.record({
  deregistrationSeconds: fc.integer({ min: 0, max: 3600 }),
  protectMinutes: fc.integer({ min: 1, max: 2880 }),
});

const inSeconds = (duration: string) => Number(/^(\d+)s$/.exec(duration)?.[1]);

test("a quiet stream outlives the load balancer, and the server never closes a connection first", () => {
  holds(({ sseHeartbeatMs, idleSeconds, keepAliveMs }) => {
    expect(sseHeartbeatMs).toBeLessThan(idleSeconds * 1000);
    expect(idleSeconds).toBeLessThanOrEqual(4000);
    expect(idleSeconds * 1000).toBeLessThan(keepAliveMs);
  });
});

test("a worker has handed its runs back before ECS kills it", () => {
  holds(({ drainSeconds, stopSeconds }) => {
    expect(drainSeconds).toBeLessThan(stopSeconds);
    expect(stopSeconds).toBeLessThanOrEqual(120);
  });
});

test("one lost heartbeat loses no run, and a killed worker's runs go on within 35 s", () => {
  holds(({ leaseMs, heartbeatMs, sweepMs }) => {
    expect(leaseMs).toBeGreaterThan(2 * heartbeatMs);
    expect(leaseMs + sweepMs).toBeLessThanOrEqual(35_000);
  });
});

test("Pulumi waits longer for a deletion than draining, stopping and protection take together", () => {
  holds(({ deregistrationSeconds, stopSeconds, protectMinutes, timeouts }) => {
    const serverStops = deregistrationSeconds + stopSeconds;
    expect(inSeconds(timeouts.serverService.delete)).toBeGreaterThan(serverStops);
    expect(inSeconds(timeouts.serverService.update)).toBeGreaterThan(2 * serverStops);
    expect(inSeconds(timeouts.targetGroup.delete)).toBeGreaterThan(deregistrationSeconds);
    expect(inSeconds(timeouts.loadBalancer.delete)).toBeGreaterThan(deregistrationSeconds);
    expect(inSeconds(timeouts.workerService.delete)).toBeGreaterThan(protectMinutes * 60 + stopSeconds);
  });
});

test("choices beyond the limits of AWS are refused by name", () => {
  expect(() => timingBudget({ deregistrationSeconds: 3601, protectMinutes: 30 })).toThrow("deregistrationSeconds");
  expect(() => timingBudget({ deregistrationSeconds: -1, protectMinutes: 30 })).toThrow("deregistrationSeconds");
  expect(() => timingBudget({ deregistrationSeconds: 60, protectMinutes: 2881 })).toThrow("protectMinutes");
  expect(() => timingBudget({ deregistrationSeconds: 60, protectMinutes: 1.5 })).toThrow("protectMinutes");
});

test.each(profiles)("the rules of profile %s are within the limits", (profile: Profile) => {
  expect(timingBudget({ ...rulesOf[profile], protectMinutes: 30 }).deregistrationSeconds).toBeLessThanOrEqual(60);
});

function holds(check: (timing: Timing) => void) {
  fc.assert(fc.property(choices, (choice) => check(timingBudget(choice))));
}
