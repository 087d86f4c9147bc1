/** Why tasks don't run, as ECS knows it: the reasons of stopped tasks and the last words of the services. */
import { isObject } from "../config/values.js";
import { type Answer, parsed } from "../preflight/command.js";
import type { Outputs } from "./outputs.js";

/** The AWS CLI with the region and the login of the stack. */
export type Aws = (...args: string[]) => Promise<Answer>;

const EVENTS_OF_A_SERVICE = 3;

/** @returns a sentence for each service of which an old task may answer, or why that can't be known */
export async function rollouts({ cluster, services }: Outputs, aws: Aws): Promise<string[]> {
  const described = await aws("ecs", "describe-services", "--cluster", cluster, "--services", ...services);
  if (described.code !== 0) return ["ECS does not answer, so an old task may be the one that does"];
  return list(described, "services").flatMap((service) => {
    if (!isObject(service) || !Array.isArray(service.deployments)) return [];
    const newest = service.deployments.filter(isObject).find(({ status }) => status === "PRIMARY");
    if (newest === undefined || newest.rolloutState === "COMPLETED") return [];
    const state = newest.rolloutState === "FAILED" ? "has failed to roll out" : "is still rolling out";
    const count = `${newest.runningCount} of ${newest.desiredCount} new`;
    return [`${service.serviceName} ${state}, ${count}; an old task may be the one that answers`];
  });
}

/** @returns a line for each reason; or why it can't be known */
export async function reasons({ cluster, services }: Outputs, aws: Aws): Promise<string[]> {
  const ecs = (...args: string[]) => aws("ecs", ...args, "--cluster", cluster);
  const described = await ecs("describe-services", "--services", ...services);
  if (described.code === undefined) return ["the command aws is not there, so why is not known"];
  if (described.code !== 0) return [`ECS does not answer: ${described.complaint}`];
  const stopped = await Promise.all(services.map((service) => stoppedTasks(service, ecs)));
  return [...list(described, "services").flatMap(lastEvents), ...stopped.flat()];
}

async function stoppedTasks(service: string, ecs: (...args: string[]) => Promise<Answer>): Promise<string[]> {
  const listed = await ecs("list-tasks", "--service-name", service, "--desired-status", "STOPPED");
  const arns = list(listed, "taskArns").map(String);
  if (arns.length === 0) return [];
  return list(await ecs("describe-tasks", "--tasks", ...arns), "tasks").flatMap((task) => {
    if (!isObject(task)) return [];
    const containers = (Array.isArray(task.containers) ? task.containers : []).filter(isObject).map(containerEnd);
    return [`stopped task of ${service}: ${[String(task.stoppedReason), ...containers].join("; ")}`];
  });
}

function containerEnd({ name, exitCode, reason }: Record<string, unknown>): string {
  const code = exitCode === undefined ? "never started" : `exit code ${exitCode}`;
  return `${name}: ${code}${reason === undefined ? "" : `, ${reason}`}`;
}

function lastEvents(service: unknown): string[] {
  if (!isObject(service)) return [];
  const { serviceName, runningCount, desiredCount, events } = service;
  const messages = (Array.isArray(events) ? events : []).filter(isObject).map(({ message }) => String(message));
  return [`${serviceName}: ${runningCount} of ${desiredCount} tasks run`, ...messages.slice(0, EVENTS_OF_A_SERVICE)];
}

function list(answer: Answer, name: string): unknown[] {
  const value = answer.code === 0 ? parsed(answer) : undefined;
  const items = isObject(value) ? value[name] : undefined;
  return Array.isArray(items) ? items : [];
}
