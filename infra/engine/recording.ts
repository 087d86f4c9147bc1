/** What a program asked for: every resource with its inputs, its parent and what is secret in it. */
import type { Values } from "./wire.js";

export interface RecordedResource {
  urn: string;
  /** @example "aws:ecs/service:Service" */
  type: string;
  /** Logical name. */
  name: string;
  parent: string | undefined;
  /** False for a component, which exists only in the program. */
  custom: boolean;
  inputs: Values;
  /** Paths of the inputs that are encrypted in the state. */
  secretPaths: string[];
  /** What the cloud would have answered; nothing in a preview. */
  id: string;
  outputs: Values;
  protect: boolean;
  ignoreChanges: string[];
  /** Properties that AWS can't change in place, whatever the provider says. */
  replaceOnChanges: string[];
  /** Left on AWS when the stack goes. */
  retainOnDelete: boolean;
  timeouts: { create: string; update: string; delete: string };
  dependencies: string[];
}

export interface Recording {
  resources: RecordedResource[];
  /** Outputs of the stack, secrets unwrapped. */
  outputs: Values;
  secretOutputs: string[];
  /** 0 where the program ended well. */
  exitCode: number;
  /** Errors that the program reported, and what it printed. */
  errors: string[];
  printed: string;
}

/** Resources of a type, or one of them by its name. @throws when there is no such resource */
export function resourcesOf(recording: Recording, type: string): RecordedResource[] {
  return recording.resources.filter((resource) => resource.type === type);
}

export function resourceOf(recording: Recording, type: string, name: string): RecordedResource {
  const found = resourcesOf(recording, type).find((resource) => resource.name === name);
  if (found === undefined) throw new Error(`the program made no ${type} named ${name}`);
  return found;
}
