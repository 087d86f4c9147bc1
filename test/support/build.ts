/** The compiled app that all test files of a run share. */
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    app: string;
  }
}

/** The folder of the build: it holds `main.js`, `agents/langgraph.json`, … */
export function builtApp(): string {
  return inject("app");
}
