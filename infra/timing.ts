/**
 * The timing budget. The load balancer, ECS, the app and Pulumi each have time limits of their own, and the system is
 * only right while they stand in order: a connection that the server closes first is a 502, a task that ECS kills
 * before its drain ends loses work, a deletion that Pulumi gives up on leaves half a stack. So one pure function makes
 * all of them, and infra and the app take theirs from here:
 *
 *   SSE heartbeat < ALB idle timeout < the server's keep-alive
 *   drain < ECS stopTimeout <= 120 s (Fargate)
 *   2 x heartbeat < lease,  takeover after a kill <= lease + sweep
 *   deregistration, stop and task protection < the time Pulumi gives a deletion
 */

export interface TimingChoices {
  /** Seconds that a stopping server keeps its open streams, 0 to 3600. Clients resume elsewhere, so it may be short. */
  deregistrationSeconds: number;
  /** Longest task protection of a busy worker, minutes, 1 to 2880. */
  protectMinutes: number;
}

export interface Timing {
  /** Comment line on a quiet stream, ms. */
  sseHeartbeatMs: number;
  /** The load balancer closes a connection that is silent for so long, seconds. */
  idleSeconds: number;
  /** The server closes an idle connection, ms. */
  keepAliveMs: number;
  deregistrationSeconds: number;
  /** From SIGTERM to the hand-back of what still runs, seconds. */
  drainSeconds: number;
  /** From SIGTERM to SIGKILL, seconds. */
  stopSeconds: number;
  /** Lease of a run, its renewal, and the search for expired ones, ms. */
  leaseMs: number;
  heartbeatMs: number;
  sweepMs: number;
  protectMinutes: number;
  /** What Pulumi waits for, as its `customTimeouts`. */
  timeouts: {
    serverService: { create: string; update: string; delete: string };
    workerService: { create: string; update: string; delete: string };
    targetGroup: { delete: string };
    loadBalancer: { create: string; delete: string };
    cache: { create: string; update: string; delete: string };
  };
}

/** Most that Fargate allows (ECS, ContainerDefinition.stopTimeout). */
const stopSeconds = 120;
/** Well under the 4000 s that an ALB allows, and long enough for clients that pool connections. */
const idleSeconds = 600;
/** A worker that is never idle lets its protection lapse for so long, so that a deploy can end. */
const protectionLapseSeconds = 90;
/** Placing a task, pulling the image, two health checks: minutes where all is well, and then half as much again. */
const startSeconds = 600;
const marginSeconds = 300;

/** @throws RangeError for a choice outside its limits; the stack's own keys are checked before, in config.ts */
export function timingBudget({ deregistrationSeconds, protectMinutes }: TimingChoices): Timing {
  within("deregistrationSeconds", deregistrationSeconds, 0, 3600);
  within("protectMinutes", protectMinutes, 1, 2880);
  const serverStops = deregistrationSeconds + stopSeconds;
  const workerStops = protectMinutes * 60 + protectionLapseSeconds + stopSeconds;
  return {
    sseHeartbeatMs: 5_000,
    idleSeconds,
    keepAliveMs: (idleSeconds + 5) * 1000,
    deregistrationSeconds,
    // The rest is for closing connections and for the process itself.
    drainSeconds: stopSeconds - 20,
    stopSeconds,
    leaseMs: 30_000,
    heartbeatMs: 10_000,
    sweepMs: 5_000,
    protectMinutes,
    timeouts: {
      // Servers are waited for until the new tasks are steady and the old ones gone; a rollback does it all again.
      serverService: {
        create: seconds(startSeconds * 2 + marginSeconds),
        update: seconds((startSeconds + serverStops) * 2 + marginSeconds),
        delete: seconds(serverStops + marginSeconds),
      },
      // Workers are not waited for: a deploy goes on while protected ones finish. Only a deletion has to outlast them.
      workerService: {
        create: seconds(startSeconds),
        update: seconds(startSeconds),
        delete: seconds(workerStops + marginSeconds),
      },
      targetGroup: { delete: seconds(deregistrationSeconds + marginSeconds) },
      loadBalancer: { create: seconds(900), delete: seconds(deregistrationSeconds + marginSeconds * 2) },
      // A node takes some ten minutes, a change of version or size as long for each node.
      cache: { create: seconds(3600), update: seconds(5400), delete: seconds(3600) },
    },
  };
}

function seconds(count: number): string {
  return `${count}s`;
}

function within(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new RangeError(`${name} is ${value}; it must be a whole number from ${least} to ${most}`);
}
