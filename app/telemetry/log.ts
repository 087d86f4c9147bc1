/** One JSON line an event, on standard output. Payloads (inputs, states, messages) and secrets are never logged. */
import pino, { type Logger } from "pino";

export type Log = Logger;

/** @param level pino's levels, or "silent" */
export function createLog(level: string, names: { stack?: string; instance: string; role: string }): Log {
  return pino({ level, base: names, timestamp: pino.stdTimeFunctions.isoTime });
}
