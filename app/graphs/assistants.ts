/** Every graph has an assistant from the start, whose id clients compute for themselves: it must not be another one. */
import { v5 } from "uuid";

/** The namespace that LangGraph's servers use: close to RFC 9562's for URLs, but not the same. */
const NAMESPACE = "6ba7b821-9dad-11d1-80b4-00c04fd430c8";

export function systemAssistantId(graphId: string): string {
  return v5(graphId, NAMESPACE);
}
