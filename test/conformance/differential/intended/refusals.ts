/** Of refusals, whatever they refuse. */
import type { Intended } from "./entry.js";

export const refusals: Intended[] = [
  {
    path: "body",
    development: '"string"',
    ours: '"detail: string"',
    because: "errors are JSON since v0.6.35; the development server sends text",
    source: "reference, before §1 (changelog v0.6.35)",
  },
  {
    path: "body",
    development: '"success: boolean, error: object"',
    ours: '"detail: string"',
    because: "errors are one sentence; the development server sends what its validator found",
    source: "reference, before §1 (changelog v0.6.35)",
  },
  {
    path: "headers.content-type",
    development: '"text/plain"',
    ours: '"application/json"',
    because: "errors are JSON, and so is what wait answers; the development server declares neither",
    source: "reference, before §1; §2.8",
  },
  {
    path: "status",
    development: "400",
    ours: "422",
    because: "a wrong field is 422 everywhere",
    source: "reference §1: 422 = validation",
  },
];
