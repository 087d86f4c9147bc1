/** An assistant, what of it is versioned, and how both are kept. */
import { createHash } from "node:crypto";
import { contains } from "../threads/filter.js";
import { isScalar } from "../threads/terms.js";

/** What a version holds; a change makes a new one. */
export interface AssistantBody {
  graphId: string;
  name: string;
  description: string | null;
  config: { configurable?: Record<string, unknown>; [key: string]: unknown };
  context: Record<string, unknown>;
  metadata: Record<string, unknown>;
}

export interface Assistant extends AssistantBody {
  assistantId: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** With the number of its changes so far, by which a later writer tells whether it read the newest. */
export interface AssistantRecord extends Assistant {
  revision: number;
}

/** What a search or a count asks for; all that is given must match. */
export interface AssistantFilter {
  graphId?: string | undefined;
  /** A part of the name, in any case. */
  name?: string | undefined;
  /** Contained in the assistant's: see `contains`. */
  metadata?: Record<string, unknown> | undefined;
}

/** A refusal that a handler turns into a status. */
export class AssistantRefused extends Error {
  override name = "AssistantRefused";

  constructor(
    readonly reason:
      | "assistant_missing"
      | "version_missing"
      | "graph_missing"
      | "exists"
      | "of_the_system"
      | "busy"
      | "too_much",
    message: string,
  ) {
    super(message);
  }
}

/** `created_at, updated_at, revision, version, body` as the scripts answer them. */
export type Fields = (string | null)[];

/** @returns undefined for an assistant that is not there, or of which an earlier release kept only the time */
export function toRecord(assistantId: string, fields: Fields): AssistantRecord | undefined {
  const [createdAt, updatedAt, revision, version, body] = fields;
  if (!body) return undefined;
  return {
    ...(JSON.parse(body) as AssistantBody),
    assistantId,
    version: Number(version),
    revision: Number(revision),
    createdAt: new Date(Number(createdAt)),
    updatedAt: new Date(Number(updatedAt)),
  };
}

export function bodyOf({ graphId, name, description, config, context, metadata }: AssistantBody): AssistantBody {
  return { graphId, name, description, config, context, metadata };
}

/** The words by which an assistant is found without looking at it: its graph, and each top-level scalar of metadata. */
export function termsOf({ graphId, metadata = {} }: AssistantFilter): string[] {
  const scalars = Object.entries(metadata).filter(([, value]) => isScalar(value));
  const pairs = scalars.map(([key, value]) => ["metadata", key, value]);
  return [...(graphId === undefined ? [] : [["graph", graphId]]), ...pairs].map(term);
}

/** Of one length, whatever the value's. */
const term = (parts: unknown[]) => createHash("sha1").update(JSON.stringify(parts)).digest("hex");

/** Whether the terms of a filter say all of it. */
export function isIndexed({ name, metadata = {} }: AssistantFilter): boolean {
  return !name && Object.values(metadata).every(isScalar);
}

export function matches(assistant: Assistant, { graphId, name, metadata }: AssistantFilter): boolean {
  return (
    (graphId === undefined || assistant.graphId === graphId) &&
    (name === undefined || assistant.name.toLowerCase().includes(name.toLowerCase())) &&
    contains(assistant.metadata, metadata ?? {})
  );
}
